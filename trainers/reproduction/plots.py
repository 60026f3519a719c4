"""Plots of the book, readable in print, from the results files alone."""

import itertools
import statistics
from pathlib import Path

from trainers.reproduction import tables

FIGURE = (7.0, 4.0)  # inches
DPI = 130


def draw(table, dataset, preset, record, folder):
    """Writes the plots of one results file; returns their paths."""
    maker = {"bias": _bias, "mmd-gan": kid_against_time}.get(table.name, _bars)
    if not (record["rows"] or record["experiment"]):
        return []
    path = Path(folder) / f"{table.name}-{dataset.replace('/', '-')}-{preset}.png"
    figure = maker(table, dataset, record)
    if figure is None:
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, bbox_inches="tight", metadata={"Software": None})
    return [path]


def _figure(columns=1):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(FIGURE[0] * max(1, columns * 0.75), FIGURE[1]), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _means(column, record):
    """Label -> mean of a column over seeds, where it was measured."""
    found = {}
    for label, cells in record["rows"].items():
        values = [tables.value_at(cell["metrics"], column.score) for cell in cells]
        if values and None not in values:
            found[label] = statistics.mean(values)
    return found


def _bars(table, dataset, record):
    """A bar for every row, in the table's first column, with anchors as lines."""
    if not table.columns or not (means := _means(table.columns[0], record)):
        return None
    figure, (axis,) = _figure()
    bars = axis.barh(list(means), list(means.values()), color="#4477aa")
    axis.bar_label(bars, fmt=f"%.{table.columns[0].digits}f", label_type="center", color="white", fontsize=8)
    cells = [cell for found in record["rows"].values() for cell in found]
    anchors = next((c["metrics"].get("parzen anchors", {}) for c in cells), {})
    for (name, value), style in zip(anchors.items(), itertools.cycle(("--", ":"))):
        axis.axvline(value["mean"], color="#bb5566", linestyle=style, label=name)
    if anchors:
        figure.legend(loc="outside lower center", ncols=len(anchors), fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel(table.columns[0].title)
    axis.set_title(f"{table.title}: {dataset}")
    return figure


def kid_against_time(table, dataset, record):
    """KID against the time of training, as the learning rate scheduler saw it: a line for every row.

    Time is the number of steps times the cost of a step that `step_costs` measured with rows in turns: the runs
    themselves may have been stopped, resumed, or beside others.
    """
    figure, (axis,) = _figure()
    for number, (label, cells) in enumerate(record["rows"].items()):
        minutes = record["experiment"][label]["milliseconds"] / 60_000
        runs = [cell["history"]["decisions"] for cell in cells if cell.get("history")]
        for seed, decisions in enumerate(runs):
            axis.plot(
                [d["step"] * minutes for d in decisions],
                [d["kid"] for d in decisions],
                color=f"C{number}",
                label=None if seed else label,
            )
    if not axis.lines:
        return _bars(table, dataset, record)
    axis.set(xlabel="minutes of training at the cost of a step", ylabel="KID of 2048 samples", yscale="log")
    axis.set_title(f"{table.title}: {dataset}")
    axis.legend(fontsize=7)
    return figure


def _bias(table, dataset, record):
    """Slopes through a fixed and a learned critic, and FID and KID of equal laws."""
    figure, axes = _figure(3)
    for axis, name in zip(axes, ("fixed critic", "learned critic")):
        points = record["experiment"][name]
        shifts = [p["shift"] for p in points]
        axis.errorbar(
            shifts,
            [p["mean"] for p in points],
            [2 * p["standard_error"] for p in points],
            fmt="o",
            label="mean",
        )
        axis.plot(shifts, [p["closed form"] for p in points], label="closed form")
        axis.plot(shifts, [p["unbiased"] for p in points], "--", label="true slope")
        axis.set(title=f"slope, {name}", xlabel="shift")
        axis.legend(fontsize=7)
    points = record["experiment"]["equal laws"]
    for name in ("fid", "kid"):
        axes[2].errorbar(
            [p["rows"] for p in points],
            [p[name]["mean"] for p in points],
            [2 * p[name]["standard_error"] for p in points],
            marker="o",
            label=name.upper(),
        )
    axes[2].set(title="equal laws", xlabel="rows", xscale="log")
    axes[2].axhline(0, color="black", linewidth=0.5)
    axes[2].legend(fontsize=7)
    return figure
