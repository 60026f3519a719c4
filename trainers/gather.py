"""Figures of finished runs in one file: for each the command that makes it, its settings and its scores."""

import json
import shlex

from trainers import evaluate, systems
from trainers.run_folder import RunFolder, RunFolderError, read_config, read_json, write_json

WHERE = ("run_dir", "features")  # of one machine: no part of a figure


def gather(run_dirs, path):
    """Writes the records of runs to a JSON file, by one rename.

    Args:
        run_dirs: Folders of runs whose scores are measured (`trainers run` or `trainers evaluate` does it).
        path: The file; its folder must exist.

    Returns:
        Dict "runs" -> list of records, as written.

    Raises:
        RunFolderError: If a folder holds no run, or one without scores.
    """
    result = {"runs": [record(run_dir) for run_dir in run_dirs]}
    write_json(path, result)
    return result


def record(run_dir):
    """What a run was and what it scored.

    Returns:
        Dict with "command", "settings", "seed", "versions", "machine", "commit" and "metrics", and "resumes" where
        the run was gone on with by others.
    """
    config, folder = read_config(run_dir), RunFolder(run_dir)
    if not folder.metrics.exists():
        raise RunFolderError(
            f"A run to gather has a metrics.json. Received: {folder.path}, without one. "
            f"Measure it with `python -m trainers evaluate {folder.path}`."
        )
    settings = {name: value for name, value in config["settings"].items() if name not in WHERE}
    shown = {name: config.get(name) for name in ("seed", "versions", "machine", "commit")}
    shown |= {name: config[name] for name in ("resumes",) if name in config}
    metrics = read_json(folder.metrics)
    return {"command": command(config), "settings": settings, **shown, "metrics": metrics}


def command(config, without=WHERE):
    """The command line of a run from its config: names, and the settings that differ from the recipe's.

    Args:
        config: Content of a `config.json`.
        without: Settings that are left out.
    """
    words = ["python", "-m", "trainers", "run", config["system"], "--dataset", config["dataset"]]
    words += ["--preset", config["preset"], "--seed", str(config["seed"])]
    usual = systems.recipe(config["system"]).resolve(config["dataset"], config["preset"])
    for name, value in config["settings"].items():
        if name not in without and plain(usual.get(name)) != value:
            words += ["--set", f"{name}={_text(value)}"]
    return shlex.join(words)


def report(result):
    """The records as lines for people."""
    return "\n\n".join(f"{run['command']}\n{evaluate.report(run['metrics'])}" for run in result["runs"])


def plain(value):
    """A setting as JSON gives it back: tuples are lists."""
    return [plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def _text(value):
    return value if isinstance(value, str) else json.dumps(value)
