"""`trainers list`: the systems, and the runs under a folder with their scores."""

import os
from pathlib import Path

from trainers import hparams, systems
from trainers.run_folder import RunFolder, read_json

DEPTH = 4  # folders below the folder of runs, for trials of `tune`
FIRST = ("parzen", "kid", "fid", "pixel_kid", "test_errors")  # of the scores in a line
SHOWN = 5


def known_systems():
    """Every system with its title, presets, datasets of their own settings, and ranges of tunable settings."""
    recipes = {name: systems.recipe(name) for name in systems.names()}
    return [
        {
            "system": name,
            "title": recipe.title,
            "presets": sorted(recipe.presets),
            "datasets": sorted(recipe.datasets),
            "tunable": {
                setting: {"low": low, "high": high, "scale": scale}
                for setting, (low, high, scale) in sorted(recipe.tunable.items())
            },
        }
        for name, recipe in recipes.items()
    ]


def found_runs(directory):
    """The runs under a folder, sorted by path: what they are, whether they ended, and their scores."""
    return [_describe(path) for path in sorted(_config_files(Path(directory)))]


def _config_files(directory):
    """Every `config.json` of a run up to `DEPTH` folders down; nothing inside of a run is looked at."""
    for place, folders, files in os.walk(directory):
        if "config.json" in files:
            yield Path(place) / "config.json"
            folders.clear()
        elif len(Path(place).relative_to(directory).parts) >= DEPTH:
            folders.clear()


def _describe(config_file):
    folder, config = RunFolder(config_file.parent), read_json(config_file)
    scores = read_json(folder.metrics) if folder.metrics.exists() else {}
    return {
        "path": str(folder.path),
        **{name: config.get(name) for name in ("system", "dataset", "preset", "seed")},
        "steps": config.get("settings", {}).get("steps"),
        "finished": folder.model.exists(),
        "scores": hparams.headlines(scores),
    }


def text(known, runs, directory):
    """Both lists as lines for people."""
    lines = ["systems (train one with `trainers run SYSTEM`):"]
    lines += [f"  {row['system']:<16} {row['title']} ({', '.join(row['presets'])})" for row in known]
    lines += ["", f"runs under {directory}/:" if runs else f"no runs under {directory}/ yet"]
    return "\n".join([*lines, *(f"  {_run_line(run)}" for run in runs)])


def _run_line(run):
    names = [name for name in FIRST if name in run["scores"]]
    names += [name for name in run["scores"] if name not in FIRST]
    shown = "  ".join(f"{name} {run['scores'][name]:.4g}" for name in names[:SHOWN])
    state = shown or ("not evaluated" if run["finished"] else "unfinished: go on with --resume")
    what = f"{run['system']} on {run['dataset']}, {run['preset']}, seed {run['seed']}"
    return f"{run['path']:<36} {what:<42} {state}"
