"""The model card of a version: what it is, how it was made, how well it scored and where it ends."""

import datetime
import json

PATH = "assets.extra/model_card.md"
FACTS = "assets.extra/model_card.json"


def facts(model, *, name, signatures, config=None, metrics=None):
    """What is known of a version, as JSON values.

    Args:
        model: The `GenerativeModel`.
        name: Name it is served under.
        signatures: `SignatureDef` by name.
        config: The run's `config.json`, or None.
        metrics: The run's `metrics.json`, or None.
    """
    settings = {key: repr(getattr(model, key)) for key in model.config_names}
    return {
        "name": name,
        "system": type(model).__name__,
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "sample_shape": list(model.sample_shape),
        "latent_size": model.latent_size,
        "num_parameters": int(model.count_params()),
        "constructor": {k: v for k, v in settings.items() if not v.startswith("<")},
        "signatures": {
            key: {"inputs": sorted(s.inputs), "outputs": sorted(s.outputs)} for key, s in signatures.items()
        },
        "run": config or {},
        "metrics": metrics or {},
    }


def write(version_dir, known):
    """Writes the card as Markdown and its facts as JSON."""
    (version_dir / FACTS).write_text(json.dumps(known, indent=2, default=str) + "\n")
    (version_dir / PATH).write_text(markdown(known))


def markdown(known):
    """The text of the card."""
    run = known["run"]
    sections = [
        f"# {known['name']}\n\n{known['system']}, written {known['written']}.",
        _section("Data", _data(run), "Not recorded: saved from a model, not from a run."),
        _section("Model", _model(known)),
        _section("Training", _rows(_plain(run)), "Not recorded: saved from a model, not from a run."),
        _section("Versions", _rows(run.get("versions", {})), "Not recorded."),
        _section("Scores", _scores(known["metrics"]), "Not scored."),
        _section("Limits", _LIMITS),
        _section("Signatures", _signatures(known["signatures"])),
    ]
    return "\n\n".join(sections) + "\n"


_LIMITS = (
    "Samples resemble the training data and carry its gaps and biases; a score holds for the data and "
    "protocol beside it only. One int64 seed gives one row, bit for bit on one kind of processor; other "
    "processors may differ in the last bits. Seeds are not secret: who knows one can draw its sample again."
)


def _section(title, body, empty="None."):
    return f"## {title}\n\n{body or empty}"


def _rows(values):
    if not values:
        return ""
    lines = [f"| {key} | {_cell(value)} |" for key, value in values.items()]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _cell(value):
    text = json.dumps(value, default=str) if isinstance(value, (dict, list)) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _data(run):
    settings = run.get("settings", {})
    keys = ("split", "value_range", "binarize", "image_size")
    return _rows(
        {k: v for k, v in {"dataset": run.get("dataset"), **{k: settings.get(k) for k in keys}}.items() if v}
    )


def _model(known):
    shape = ", ".join(map(str, known["sample_shape"]))
    basics = {
        "sample": f"[{shape}]",
        "latent size": known["latent_size"],
        "parameters": known["num_parameters"],
    }
    return _rows({**basics, **known["constructor"]})


def _plain(run):
    top = {k: run[k] for k in ("system", "preset", "seed", "strategy") if k in run}
    return {**top, **run.get("settings", {})}


def _scores(metrics):
    if not metrics:
        return ""
    lines = [f"| {' '.join(name)} | {value} | {protocol} |" for name, value, protocol in _score_rows(metrics)]
    return "\n".join(["| score | value | protocol |", "| --- | --- | --- |", *lines])


def _score_rows(metrics, name=()):
    """(name, value with its standard error, protocol) of every score in nested mappings; lists stay out."""
    plain = {k: v for k, v in metrics.items() if not isinstance(v, (dict, list))}
    rows = []
    if "mean" in plain:
        value, error = plain.pop("mean"), plain.pop("standard_error", None)
        text = _number(value) if error is None else f"{_number(value)} +- {_number(error)}"
        rows.append((name, text, ", ".join(f"{k} {_number(v)}" for k, v in plain.items())))
    else:
        rows += [((*name, key), _number(value), "") for key, value in plain.items()]
    for key, value in metrics.items():
        if isinstance(value, dict):
            rows += _score_rows(value, (*name, key))
    return rows


def _number(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _signatures(signatures):
    lines = [
        f"- `{key}`: {', '.join(s['inputs'])} -> {', '.join(s['outputs'])}" for key, s in signatures.items()
    ]
    return "\n".join(lines)
