"""The command line: `python -m trainers`, also installed as `tfmmd-train`."""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

OK, FAILED, BAD_INPUT = 0, 1, 2


def parser():
    """The argument parser of all commands."""
    top = argparse.ArgumentParser("trainers", description="Train, evaluate and reproduce generative models.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    listing = commands.add_parser("list", help="systems, their presets, and the runs under runs/")
    listing.add_argument("--runs", default="runs", help="folder of run folders")
    evaluation = commands.add_parser("evaluate", help="recompute the scores of a run")
    evaluation.add_argument("run_dir", metavar="RUN_DIR")
    evaluation.add_argument("--measure", action="append", help="only this measure; may be repeated")
    ensemble = commands.add_parser("ensemble", help="test errors of several classifying runs together")
    ensemble.add_argument("run_dirs", metavar="RUN_DIR", nargs="+")
    judge = commands.add_parser("judge", help="a person tells samples from data, on a local web page")
    judge.add_argument("run_dir", metavar="RUN_DIR")
    judge.add_argument("--num-images", type=int, default=100, help="images shown, half of them real")
    judge.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    judge.add_argument("--seed", type=int, default=0, help="which images, in which order")
    demo = commands.add_parser("demo", help="GMMN on digits from data to served samples, in a few minutes")
    demo.add_argument("--dir", default="demo-output", help="folder of everything the demo writes")
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="result as JSON on stdout")
    return top


def _add_run(commands):
    run = commands.add_parser("run", help="train a system")
    run.add_argument("system", metavar="SYSTEM", help="see `trainers list`")
    run.add_argument("--dataset", default="digits", help="digits, rings, gaussians, a TFDS name, or a folder")
    run.add_argument("--preset", default="quick", help="quick, paper or best")
    run.add_argument("--run-dir", help="run folder; default runs/SYSTEM-DATASET-PRESET")
    run.add_argument("--steps", type=int, help="optimizer steps")
    run.add_argument("--batch-size", type=int)
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--strategy", default="none", help="none, mirrored or multiworker")
    run.add_argument("--resume", action="store_true", help="continue the run in the folder")
    run.add_argument("--force", action="store_true", help="replace the run in the folder")
    run.add_argument(
        "--deterministic", action="store_true", help="operations that repeat bit for bit (slower)"
    )
    run.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any setting; may be repeated"
    )


def main(argv=None):
    """Runs a command; returns the exit code: 0 done, 1 failed, 2 bad input."""
    options = parser().parse_args(argv)
    from trainers import runner
    from trainers.run_folder import RunFolderError

    try:
        text, result = COMMANDS[options.command](options)
    except (ValueError, RunFolderError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except runner.Interrupted as stop:
        print(stop, file=sys.stderr)
        return runner.callbacks.resume.STOPPED_EXIT_CODE
    except (OSError, RuntimeError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return FAILED
    print(json.dumps(result, default=list) if options.json else text)
    return OK


def _run(options):
    from trainers import evaluate, lenet, recipe, runner, strategies

    overrides = recipe.parse_overrides(options.set)
    overrides |= {"steps": options.steps} if options.steps else {}
    overrides |= {"batch_size": options.batch_size} if options.batch_size else {}
    if options.deterministic:
        runner.use_deterministic_ops()
    names = ("system", "dataset", "preset", "run_dir", "seed", "strategy", "resume", "force")
    run_options = runner.RunOptions(**{name: getattr(options, name) for name in names}, overrides=overrides)
    if options.system == "lenet":
        folder, scores = lenet.run(run_options)
        return f"test accuracy {scores['test accuracy']:.4f}\nrun folder: {folder.path}", scores
    folder = runner.run(run_options)
    if not strategies.is_chief(options.strategy):
        return f"worker done; the chief writes {folder.path}", {"run_dir": str(folder.path)}
    scores = evaluate.evaluate(folder.path)
    text = f"{evaluate.report(scores)}\nrun folder: {folder.path}  (pictures: {folder.samples}, logs: {folder.logs})"
    return text, {"run_dir": str(folder.path), "metrics": scores}


def _evaluate(options):
    from trainers import evaluate

    scores = evaluate.evaluate(options.run_dir, options.measure)
    return evaluate.report(scores), scores


def _list(options):
    from trainers import systems

    recipes = {name: systems.recipe(name) for name in systems.names()}
    known = [
        {"system": name, "title": r.title, "presets": sorted(r.presets), "datasets": sorted(r.datasets)}
        for name, r in recipes.items()
    ]
    found = sorted(str(path.parent) for path in Path(options.runs).glob("*/config.json"))
    lines = [f"{row['system']:<16} {row['title']} ({', '.join(row['presets'])})" for row in known]
    return "\n".join([*lines, *(f"run: {path}" for path in found)]), {"systems": known, "runs": found}


def _ensemble(options):
    from trainers import classification

    scores = classification.ensemble(options.run_dirs)
    return classification.report(scores), scores


def _judge(options):
    from trainers import judge

    scores = judge.run(options.run_dir, options.num_images, port=options.port, seed=options.seed)
    return judge.report(scores), scores


def _demo(options):
    from trainers import demo

    return demo.run(options.dir)


COMMANDS = {
    "run": _run,
    "evaluate": _evaluate,
    "ensemble": _ensemble,
    "judge": _judge,
    "list": _list,
    "demo": _demo,
}

if __name__ == "__main__":
    sys.exit(main())
