"""What the examples share: their options and how they save a figure."""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def options(description):
    """The parsed command line: `--out` folder, `--quick` for a short run, `--seed`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", default="examples-output", type=Path, help="folder of the picture")
    parser.add_argument("--quick", action="store_true", help="a few steps only, to see that it runs")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def new_figure(rows, columns, size=(3.2, 2.6)):
    """A Matplotlib figure that needs no display, and its axes `[rows, columns]`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((size[0] * columns, size[1] * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def save(figure, folder, name):
    """Writes `folder/name` and says so."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / name, dpi=70)
    print(f"picture: {folder / name}")
