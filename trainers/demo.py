"""`make demo`: GMMN on digits from data to served samples, checked at the end."""

import sys
from pathlib import Path

import numpy as np

from tfmmd.callbacks.watch import tile, write_png
from trainers import evaluate, runner

SEEDS = tuple(range(1, 17))


def run(directory):
    """Trains, scores, exports, serves on loopback, fetches samples over gRPC and REST and compares them.

    Args:
        directory: Folder for the run, the exported model and the pictures; an older demo there is replaced.

    Returns:
        (text for people, results as a dict).

    Raises:
        RuntimeError: If a served sample differs from `model.sample`.
    """
    from export import saved_model, server
    from export.client import Client

    directory = Path(directory)
    folder = runner.run(runner.RunOptions("gmmn", "digits", "quick", str(directory / "run"), force=True))
    scores = evaluate.evaluate(folder.path)
    print(evaluate.report(scores), file=sys.stderr)
    version = saved_model.save(folder.path, directory / "models", name="gmmn")
    model, _, _ = runner.load(folder.path)
    expected = model.sample(seeds=SEEDS).numpy()
    with server.running(directory / "models") as handle:
        client = Client(grpc=handle.grpc_address, rest=handle.rest_address)
        served = {
            "gRPC": client.sample(SEEDS, name="gmmn"),
            "REST": client.sample(SEEDS, name="gmmn", transport="rest"),
        }
    for transport, samples in served.items():
        if not np.array_equal(samples, expected):
            raise RuntimeError(f"Samples over {transport} differ from model.sample for the same seeds.")
    picture = directory / "served.png"
    write_png(picture, tile(served["gRPC"]), scale=8)
    results = {
        "run_dir": str(folder.path),
        "samples": str(folder.samples),
        "model": str(version),
        "served": str(picture),
        "logs": str(folder.logs),
        "metrics": scores,
    }
    return _text(results), results


def _text(results):
    return "\n".join(
        [
            f"16 samples over gRPC and REST equal model.sample(seeds={SEEDS[0]}..{SEEDS[-1]}).",
            f"run folder      {results['run_dir']}",
            f"samples         {results['samples']}",
            f"served samples  {results['served']}",
            f"exported model  {results['model']}",
            f"TensorBoard     tensorboard --logdir {results['logs']}",
        ]
    )
