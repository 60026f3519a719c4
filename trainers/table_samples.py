"""What a run on a table leaves beside its model: sampled rows, and the distribution of every column."""

import csv
from pathlib import Path

import keras
import numpy as np

from tfmmd.data import tables

SHOWN = 12  # columns in the picture
SEED = 0


class TableSamples(keras.callbacks.Callback):
    """Writes `samples.csv` and `columns.png` to the run folder when training ends.

    Args:
        dataset: Name of the table, for its column names.
        train: Training rows `[n, d]`.
        num_samples: Rows of `samples.csv`.
    """

    def __init__(self, dataset, train, num_samples):
        super().__init__()
        self.columns, self.train, self.num_samples = tables.read(dataset)[0], train, num_samples
        self.directory = None

    def write_to(self, log_dir, directory):
        """Sets the run folder."""
        self.directory = Path(directory)

    def on_train_end(self, logs=None):
        if self.directory is None:
            return
        rows = np.asarray(self.model.sample(self.num_samples, seed=SEED))
        write_csv(self.directory / "samples.csv", self.columns, rows)
        plot_columns(self.directory / "columns.png", self.columns, self.train, rows)


def write_csv(path, columns, rows):
    """Writes rows `[n, d]` under a header, by one rename."""
    draft = path.with_name(f".{path.name}.tmp")
    with open(draft, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([f"{value:.6g}" for value in row] for row in rows)
    draft.replace(path)


def plot_columns(path, columns, real, fake):
    """Histograms of real and sampled values, a panel for each of the first columns.

    Args:
        path: PNG file.
        columns: Names of the columns.
        real: Rows `[n, d]`.
        fake: Rows `[m, d]`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = min(len(columns), SHOWN)
    across = min(shown, 4)
    figure = Figure((3 * across, 2.2 * -(-shown // across)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.ravel(figure.subplots(-(-shown // across), across, squeeze=False))
    for panel in panels[shown:]:
        panel.set_axis_off()
    for i, panel in enumerate(panels[:shown]):
        edges = np.histogram_bin_edges(real[:, i], 30)
        for rows, name in ((real, "data"), (fake, "samples")):
            panel.hist(rows[:, i], edges, density=True, alpha=0.6, label=name)
        panel.set_title(columns[i], fontsize=9)
    panels[0].legend(fontsize=8)
    figure.savefig(path, dpi=80)
