"""Writes `docs/reproduction.md` from the results files and the texts that people wrote beside them."""

import statistics
from pathlib import Path

from trainers.reproduction import contents, results, tables

PREFIX = "reproduction-"


def results_path(docs, table, dataset, preset):
    """The results file of a table."""
    return Path(docs) / "results" / f"{PREFIX}{table}-{dataset.replace('/', '-')}-{preset}.json"


def render(docs):
    """The page as text: a function of the files under `docs` alone.

    Args:
        docs: Folder with `results/reproduction-*.json` and `reproduction/*.md`.
    """
    docs = Path(docs)
    parts = [_text(docs, "introduction"), _budget(docs)]
    for table in contents.TABLES.values():
        parts += [f"## {table.title}", _text(docs, table.name), *_results(docs, table)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _budget(docs):
    """The wall time of the first run of every row of the quick tables, where it was kept."""
    lines, times = [], []
    for table in contents.TABLES.values():
        path = results_path(docs, table.name, table.datasets[0], "quick")
        rows = results.read(path, table)["rows"].values() if path.exists() else ()
        kept = [found[0]["minutes"] for found in rows if found and found[0]["minutes"] is not None]
        if kept:
            times += kept
            lines.append(f"| {table.name} | {len(kept)} | {sum(kept):.0f} |")
    heads = ["| quick table | rows | minutes, one run of each |", "| --- | --- | --- |"]
    return "\n".join([*heads, *lines, f"| all | {len(times)} | {sum(times):.0f} |"]) if times else ""


def _text(docs, name):
    path = docs / "reproduction" / f"{name}.md"
    return path.read_text().strip() if path.exists() else ""


def _results(docs, table):
    """The tables and the plot of one chapter."""
    parts = []
    for dataset in table.datasets:
        found = [(p, results_path(docs, table.name, dataset, p)) for p in tables.PRESETS]
        found = [(preset, results.read(path, table)) for preset, path in found if path.exists()]
        for preset, record in found:
            parts.append(f"### {dataset}, `--preset {preset}`")
            parts.append("\n\n".join(f"`{line}`" for line in _commands(table, dataset, preset, record)))
            parts += chapter(table, dataset, preset, record)
        shown = {row.label for preset, _ in found for row in table.rows_for(dataset, preset)}
        missing = [row for row in table.rows_for(dataset) if row.label not in shown]
        if missing or not found:
            parts.append(_not_run(table, dataset, missing, "the other rows" if found else ""))
    plots = sorted((docs / "reproduction").glob(f"{table.name}-*.png"))
    return parts + [f"![{table.title}](reproduction/{plot.name})" for plot in plots]


def _not_run(table, dataset, missing, which):
    """What the papers print for rows without results, and the command that runs them."""
    head = f"### {dataset}" + (f", {which}" if which else "")
    head += f"\n\nNot run here: `{_command(table, dataset, 'paper')}` does."
    rows = [row for row in missing if row.published.get(dataset)]
    if not rows:
        return head
    lines = [f"| {row.label} | {row.published[dataset]} |" for row in rows]
    return "\n".join([head, "", "| system | published |", "| --- | --- |", *lines])


def _command(table, dataset, preset):
    more = "" if dataset == table.datasets[0] else f" --dataset {dataset}"
    return f"python -m trainers reproduce {table.name}{more} --preset {preset}"


def _commands(table, dataset, preset, record):
    """The commands that make a results file: for most rows, and for those of another number of seeds."""
    counts = {label: num_seeds(found) for label, found in record["rows"].items()}
    usual, lines = statistics.mode(counts.values()) if counts else 1, []
    for number in (usual, *sorted({*counts.values()} - {usual})):
        seeds = f" --seeds {number}" if number > 1 else ""
        rows = [f' --row "{label}"' for label, n in counts.items() if n == number and number != usual]
        lines.append(_command(table, dataset, preset) + seeds + "".join(rows))
    return lines


def num_seeds(found):
    """Number of runs that a row's records come from."""
    return found[0].get("members", len(found))


def chapter(table, dataset, preset, record):
    """The Markdown tables of one results file."""
    if table.experiment and not table.rows:
        return EXPERIMENTS[table.name](record["experiment"])
    parts = [_table(table, dataset, preset, record)]
    if "parzen" in table.measures:
        parts.append(_anchors(record))
    if record["experiment"]:
        parts.append(_costs(record["experiment"]))
    return [*parts, *_decisions(record), _provenance(record)]


def _table(table, dataset, preset, record):
    heads = ["system", "published", *(c.title for c in table.columns), "target", "steps", "minutes"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in table.rows_for(dataset, preset):
        found = record["rows"].get(row.label)
        ours = _ours(table, row.target.get(dataset), found) if found else ["not run"] * (len(heads) - 2)
        lines.append(_line([row.label, row.published.get(dataset, ""), *ours]))
    return "\n".join(lines)


def _ours(table, target, found):
    """Our entries of a row that was run."""
    scores = [score(column, found) for column in table.columns]
    steps = str(found[0]["settings"]["steps"])
    return [*scores, verdict(table.columns[0], target, found), steps, _minutes(found)]


def score(column, found):
    """A column's entry: mean and standard error over seeds; of one run its own standard error."""
    values = [tables.value_at(cell["metrics"], column.score) for cell in found]
    values = [v for v in values if v is not None]
    if not values:
        return "not measured"
    error = None
    if len(values) > 1:
        error = statistics.stdev(values) / len(values) ** 0.5
    elif column.score[-1] == "mean":
        error = tables.value_at(found[0]["metrics"], (*column.score[:-1], "standard_error"))
    seeds = f" ({len(values)} seeds)" if len(values) > 1 else ""
    members = f" ({found[0]['members']} members)" if "members" in found[0] else ""
    shown = f"{statistics.mean(values):.{column.digits}f}"
    return shown + (f" +- {error:.{column.digits}f}" if error is not None else "") + seeds + members


def _minutes(found):
    """Mean wall time of the runs whose time was kept."""
    known = [cell["minutes"] for cell in found if cell["minutes"] is not None]
    return f"{statistics.mean(known):.1f}" if known else "not kept"


def verdict(column, target, found):
    """Whether the first column's mean reaches its target."""
    values = [tables.value_at(cell["metrics"], column.score) for cell in found]
    if target is None or None in values:
        return "" if target is None else f"{target}: not measured"
    return _reached(">=" if column.higher else "<=", target, statistics.mean(values))


def _anchors(record):
    """The scores of real images and centroids, printed beside every kernel density score."""
    cells = [cell for found in record["rows"].values() for cell in found]
    anchors = next((c["metrics"]["parzen anchors"] for c in cells if "parzen anchors" in c["metrics"]), {})
    lines = [
        f"| {name} ({value['num_samples']}) | {value['mean']:.1f} +- {value['standard_error']:.1f} |"
        for name, value in anchors.items()
    ]
    return "\n".join(["| instead of samples | Parzen, nats |", "| --- | --- |", *lines])


def _costs(costs):
    lines = [f"| {label} | {value['milliseconds']:.0f} |" for label, value in costs.items()]
    return "\n".join(["| system | ms for a generator step with its critic steps |", "| --- | --- |", *lines])


def _decisions(record):
    """What the learning rate scheduler decided in the first run of the table that had one."""
    for label, found in record["rows"].items():
        for cell in (cell for cell in found if cell.get("history")):
            lines = [f"- {decision['text']}" for decision in cell["history"]["decisions"]]
            return ["\n".join([f"The scheduler's decisions, {label}, seed {cell['seed']}:", "", *lines])]
    return []


def _provenance(record):
    cells = [cell for found in record["rows"].values() for cell in found]
    if not cells:
        return ""
    makers = [maker for cell in cells for maker in (cell, *cell.get("resumes", ()))]
    versions = {", ".join(f"{n} {v}" for n, v in maker["versions"].items()) for maker in makers}
    commits = ", ".join(sorted({maker["commit"] or "not known" for maker in makers}))
    machines = {_machine(maker["machine"]) for maker in makers}
    made = "; ".join([*sorted(versions), *sorted(machines), f"commit {commits}"])
    return f"Made with {made}. Every setting is in the results file."


def _machine(machine):
    """A machine as the page names it: its system, and its processor where that was recorded."""
    processor = f" ({machine['processor']})" if "processor" in machine else ""
    return machine["platform"] + processor


def _bias(experiment):
    """Slopes beside their closed forms, and FID and KID of equal laws."""
    parts = [f"Means over {experiment['repetitions']} repetitions."]
    for name in ("fixed critic", "learned critic"):
        lines = [
            f"| {p['shift']} | {_mean(p, 4)} | {p['closed form']:.4f} | {p['unbiased']:.4f} |"
            for p in experiment[name]
        ]
        parts.append(
            "\n".join(
                [
                    f"| {name}: shift | slope | closed form of its mean | true slope |",
                    "| --- | --- | --- | --- |",
                    *lines,
                ]
            )
        )
    lines = [
        f"| {p['rows']} | {_mean(p['fid'], 3)} | {_mean(p['kid'], 5)} |" for p in experiment["equal laws"]
    ]
    parts.append(
        "\n".join(
            ["| rows of two equal laws | FID (truly 0) | KID (truly 0) |", "| --- | --- | --- |", *lines]
        )
    )
    return parts


def _mean(record, digits):
    return f"{record['mean']:.{digits}f} +- {record['standard_error']:.{digits}f}"


def _speed(experiment):
    """Every ratio of every benchmark, with its target and the machine."""
    parts = []
    for name, record in experiment.items():
        faster = any("speedup" in value for value in record["cases"].values())
        means = "speed-up, higher is better" if faster else "our time / that of the other, lower is better"
        ratios = [(case, *r) for case, value in record["cases"].items() for r in _ratios(value)]
        lines = [_line([case, peer, f"{ratio:.3g}", goal]) for case, peer, ratio, goal in ratios]
        heads = [_line(["case", "beside", "ratio of wall times", "target"]), _line(["---"] * 4)]
        machine = record["machine"]
        where = f"{machine['processor']}, {machine['cores']} cores, load {machine['load']:.1f}"
        parts.append("\n".join([f"`{name}`: {means}; {where}", "", *heads, *lines]))
    return parts


def _ratios(case):
    """(peer, ratio of wall times, its target) of one case of a benchmark."""
    if "ratios" in case:
        goals = {peer: case.get("targets", {}).get(peer, case.get("target")) for peer in case["ratios"]}
        ratios = [(peer, ratio["wall"]) for peer, ratio in case["ratios"].items()]
        return [(peer, ratio, _reached("<=", goals[peer], ratio)) for peer, ratio in ratios]
    if "speedup" in case:
        ratio = case["speedup"]["wall"]
        return [("peer", ratio, _reached(">=", case["speedup"].get("target"), ratio))]
    return []


def _reached(sign, target, value):
    """A target and whether a value reaches it, empty where there is none."""
    if target is None:
        return ""
    reached = value >= target if sign == ">=" else value <= target
    return f"{sign} {target:g}: {'reached' if reached else 'missed'}"


def _line(entries):
    return f"| {' | '.join(entries)} |"


EXPERIMENTS = {"bias": _bias, "speed": _speed}
