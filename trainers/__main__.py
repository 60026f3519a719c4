"""The command line: `python -m trainers`, also installed as `tfmmd-train`."""

import argparse
import json
import logging
import os
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

OK, FAILED, BAD_INPUT = 0, 1, 2
DATASETS = "digits, rings, gaussians, a TFDS name, a folder of images, or a table (.csv, .tsv, .npy)"


def parser():
    """The argument parser of all commands."""
    top = argparse.ArgumentParser("trainers", description="Train, evaluate and reproduce generative models.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_tune(commands)
    listing = commands.add_parser("list", help="systems, their presets, and the runs under runs/")
    listing.add_argument("--runs", default="runs", help="folder of run folders")
    evaluation = commands.add_parser("evaluate", help="recompute the scores of a run")
    evaluation.add_argument("run_dir", metavar="RUN_DIR")
    evaluation.add_argument("--measure", action="append", help="only this measure; may be repeated")
    ensemble = commands.add_parser("ensemble", help="test errors of several classifying runs together")
    ensemble.add_argument("run_dirs", metavar="RUN_DIR", nargs="+")
    gathering = commands.add_parser("gather", help="write figures of measured runs to one JSON file")
    gathering.add_argument("run_dirs", metavar="RUN_DIR", nargs="+")
    gathering.add_argument("--to", required=True, metavar="FILE", help="JSON file to write")
    judge = commands.add_parser("judge", help="a person tells samples from data, on a local web page")
    judge.add_argument("run_dir", metavar="RUN_DIR")
    judge.add_argument("--num-images", type=int, default=100, help="images shown, half of them real")
    judge.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    judge.add_argument("--seed", type=int, default=0, help="which images, in which order")
    _add_reproduce(commands)
    demo = commands.add_parser("demo", help="GMMN on digits from data to served samples, in a few minutes")
    demo.add_argument("--dir", default="demo-output", help="folder of everything the demo writes")
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="result as JSON on stdout")
    return top


def _add_run(commands):
    run = commands.add_parser("run", help="train a system")
    run.add_argument("system", metavar="SYSTEM", help="see `trainers list`")
    run.add_argument(
        "--dataset",
        default="digits",
        help="digits, rings, gaussians, a TFDS name, a folder of images, or a .csv, .tsv, .npy",
    )
    run.add_argument("--preset", default="quick", help="quick, paper or best")
    run.add_argument("--run-dir", help="run folder; default runs/SYSTEM-DATASET-PRESET")
    run.add_argument("--steps", type=int, help="optimizer steps")
    run.add_argument("--batch-size", type=int)
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--strategy", default="none", help="none, mirrored or multiworker")
    run.add_argument(
        "--devices", help="gpu, gpu:2, cpu, or cpu:4 to rehearse on logical devices; default all GPUs"
    )
    run.add_argument("--resume", action="store_true", help="continue the run in the folder")
    run.add_argument("--force", action="store_true", help="replace the run in the folder, with its pictures")
    run.add_argument(
        "--measure", action="append", help="score this at the end; the recipe's measures by default"
    )
    run.add_argument(
        "--rollbacks", type=int, default=0, help="how often a diverged run goes back and halves its rates"
    )
    run.add_argument(
        "--deterministic", action="store_true", help="operations that repeat bit for bit (slower)"
    )
    run.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any setting; may be repeated"
    )


def _add_reproduce(commands):
    book = commands.add_parser(
        "reproduce", help="run the tables of the papers and write docs/reproduction.md"
    )
    book.add_argument("tables", metavar="TABLE", nargs="*", help="kde, likelihood, ...; all if none is named")
    book.add_argument(
        "--row",
        action="append",
        default=[],
        metavar="LABEL",
        help="only this row of the tables, by its name on the page; the others keep their results; may be repeated",
    )
    book.add_argument("--preset", default="quick", help="quick or paper")
    book.add_argument("--seeds", type=int, default=1, help="runs of each row")
    book.add_argument(
        "--jobs", type=int, default=1, help="runs at once, which share the cores: small networks need few"
    )
    book.add_argument("--dataset", help="another dataset of the table, such as cifar10")
    book.add_argument(
        "--runs", default="runs/reproduce", help="folder of run folders; finished ones are kept"
    )
    book.add_argument(
        "--gathered",
        action="append",
        default=[],
        metavar="FILE",
        help="take over the runs in a file of `trainers gather`; may be repeated",
    )
    book.add_argument("--docs", default="docs", help="folder of results/, reproduction/ and reproduction.md")
    book.add_argument("--page-only", action="store_true", help="write the page from the results files alone")


def _add_tune(commands):
    tune = commands.add_parser(
        "tune",
        help="search for good settings, every trial a run",
        description="Bayesian optimisation of the settings that the recipe marks as tunable, or of the ranges and "
        "lists given with --set; with --grid every combination of them. The same command continues a stopped search.",
    )
    tune.add_argument("system", metavar="SYSTEM", help="see `trainers list`")
    tune.add_argument("--dataset", default="digits", help=DATASETS)
    tune.add_argument("--preset", default="quick", help="the preset that settings start from")
    tune.add_argument("--dir", help="folder of the search; default runs/tune-SYSTEM-DATASET")
    tune.add_argument("--trials", type=int, default=20, help="trials of the whole search")
    tune.add_argument("--measure", help="the score to improve; default the recipe's first")
    tune.add_argument("--seed", type=int, default=0)
    tune.add_argument("--grid", action="store_true", help="every combination of the values of --set")
    tune.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="fixed value, list [a,b,c], range 1e-4..1e-2:log, or in a grid 1e-4..1e-2:log:5; may be repeated",
    )


def main(argv=None):
    """Runs a command; returns the exit code: 0 done, 1 failed, 2 bad input, 130 and 143 stopped."""
    options = parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    logging.getLogger("tfmmd").setLevel(logging.INFO)  # what callbacks decide, in words
    from trainers import runner
    from trainers.run_folder import RunFolderError

    try:
        text, result = COMMANDS[options.command](options)
    except (ValueError, RunFolderError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except runner.Interrupted as stop:
        print(stop, file=sys.stderr)
        return runner.callbacks.resume.exit_code(stop.signal)
    except KeyboardInterrupt:
        print("Stopped; the same command begins again, or goes on where it can.", file=sys.stderr)
        return runner.callbacks.resume.exit_code(signal.SIGINT)
    except (OSError, RuntimeError, runner.tf.errors.OpError) as error:  # TensorFlow writes files too
        print(f"failed: {error}", file=sys.stderr)
        return FAILED
    print(json.dumps(result, default=list) if options.json else text)
    return OK


def _run(options):
    from trainers import evaluate, lenet, recipe, runner, strategies

    overrides = recipe.parse_overrides(options.set)
    _check_one_value(options, overrides)
    evaluate.check_names(options.measure)
    evaluate.check_names(overrides.get("measures"))
    given = {"steps": options.steps, "batch_size": options.batch_size}
    overrides |= {name: value for name, value in given.items() if value is not None}
    if options.deterministic:
        runner.use_deterministic_ops()
    names = (
        "system",
        "dataset",
        "preset",
        "run_dir",
        "seed",
        "strategy",
        "devices",
        "resume",
        "force",
        "rollbacks",
    )
    run_options = runner.RunOptions(**{name: getattr(options, name) for name in names}, overrides=overrides)
    if options.system == "lenet":
        folder, scores = lenet.run(run_options)
        return f"test accuracy {scores['test accuracy']:.4f}\nrun folder: {folder.path}", scores
    folder = runner.run(run_options)
    if not strategies.is_chief(options.strategy):
        return f"worker done; the chief writes {folder.path}", {"run_dir": str(folder.path)}
    scores = evaluate.evaluate(folder.path, options.measure)
    files = sorted(p.name for p in folder.path.iterdir() if p.suffix in (".png", ".csv"))
    text = f"{evaluate.report(scores)}\nrun folder: {folder.path}  ({', '.join(files)}; TensorBoard: {folder.logs})"
    return text, {"run_dir": str(folder.path), "metrics": scores}


def _evaluate(options):
    from trainers import evaluate

    scores = evaluate.evaluate(options.run_dir, options.measure)
    return evaluate.report(scores), scores


def _check_one_value(options, overrides):
    """Refuses lists and ranges in `run`, and says which command takes them."""
    from tfmmd import checks
    from trainers import lenet, search_space, systems

    chosen = lenet.RECIPE if options.system == "lenet" else systems.recipe(options.system)
    space = search_space.split_overrides(overrides, chosen.resolve(options.dataset, options.preset))[1]
    for name in space:
        checks.fail(
            "A run takes one value of a setting.",
            f"--set {name}={overrides[name]}",
            f"Try several with `trainers tune {options.system} --grid --set ...`.",
        )


def _tune(options):
    from trainers import recipe, tune

    names = ("system", "dataset", "preset", "measure", "seed", "grid")
    search = tune.TuneOptions(
        **{name: getattr(options, name) for name in names},
        directory=options.dir,
        num_trials=options.trials,
        overrides=recipe.parse_overrides(options.set),
    )
    result = tune.tune(search)
    return tune.report(result), result


def _list(options):
    from trainers import listing

    known, runs = listing.known_systems(), listing.found_runs(options.runs)
    return listing.text(known, runs, options.runs), {"systems": known, "runs": runs}


def _ensemble(options):
    from trainers import classification

    scores = classification.ensemble(options.run_dirs)
    return classification.report(scores), scores


def _gather(options):
    from trainers import gather

    result = gather.gather(options.run_dirs, options.to)
    return f"{gather.report(result)}\n\nwritten: {options.to}", result


def _judge(options):
    from trainers import judge

    scores = judge.run(options.run_dir, options.num_images, port=options.port, seed=options.seed)
    return judge.report(scores), scores


def _reproduce(options):
    from trainers.reproduction import command

    if options.page_only:
        command.select(options.tables, options.preset, options.dataset, options.row)
        page = command.write_page(options.docs)
    else:
        page = command.reproduce(
            options.tables,
            preset=options.preset,
            num_seeds=options.seeds,
            dataset=options.dataset,
            runs=options.runs,
            docs=options.docs,
            gathered=options.gathered,
            jobs=options.jobs,
            labels=options.row,
        )
    return f"page: {page}", {"page": str(page)}


def _demo(options):
    from trainers import demo

    return demo.run(options.dir)


COMMANDS = {
    "run": _run,
    "tune": _tune,
    "evaluate": _evaluate,
    "ensemble": _ensemble,
    "gather": _gather,
    "judge": _judge,
    "reproduce": _reproduce,
    "list": _list,
    "demo": _demo,
}

if __name__ == "__main__":
    sys.exit(main())
