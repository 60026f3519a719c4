"""Load, version flips and reloads of the stand-in server: `python -m benchmarks.serving --seconds 60`.

The server runs in a process of its own on loopback, the clients are threads of this one; both share the
machine, so the clients' own work is in the numbers. A request asks for 16 samples of a GMMN for 28 x 28 images.
Also timed: what the noise of 256 seeds costs beside one `decode` of 256 codes, in one session.
"""

import argparse
import concurrent.futures
import contextlib
import gc
import json
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from export import saved_model, server
from export.client import Client
from export.errors import ServingError
from export.session import LoadedModel

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results" / "serving.json"
NAME = "gmmn"
ROWS = 16
FLIP_SECONDS = 5.0
CLIENTS = (1, 8, 64)
CASES = ("noise", "reloads", "grpc", "rest", "flips")
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def write_model(folder):
    """Version 1 of an untrained GMMN with the published network."""
    from tfmmd import models, networks, priors

    return saved_model.save(models.GMMN(networks.gmmn_generator(), priors.Uniform(10)), folder, NAME)


class ServerProcess:
    """The stand-in in a process of its own."""

    def __init__(self, folder):
        command = [sys.executable, "-m", "export", "serve", str(folder), "--stand-in", "--json"]
        self.process = subprocess.Popen(
            [*command, "--grpc-port=0", "--rest-port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        addresses = json.loads(self.process.stdout.readline())
        self.addresses = {"grpc": addresses["grpc"], "rest": addresses["rest"]}

    def close(self):
        """Stops the server and waits for it."""
        self.process.terminate()
        self.process.wait()


def ask(address, stop):
    """Asks until `stop`; returns the seconds of every answer and the messages of failures."""
    seconds, failures = [], []
    seeds = np.arange(ROWS)
    with Client(**address, name=NAME) as client:
        while not stop.is_set():
            start = time.perf_counter()
            try:
                client.sample(seeds)
            except ServingError as error:
                failures.append(f"{error.code}: {error}")
            seconds.append(time.perf_counter() - start)
    return seconds, failures


def load(addresses, transport, clients, duration, during=None):
    """Latencies and failures of `clients` threads that ask at the same time for `duration` seconds."""
    stop = threading.Event()
    address = {transport: addresses[transport]}
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask, address, stop) for _ in range(clients)]
        end = time.monotonic() + duration
        while time.monotonic() < end:
            time.sleep(min(FLIP_SECONDS, max(0.0, end - time.monotonic())))
            if during:
                during()
        stop.set()
        answers = [request.result() for request in asking]
    seconds = np.concatenate([a for a, _ in answers])
    return seconds, [failure for _, failures in answers for failure in failures]


def load_record(transport, clients, duration, seconds, failures):
    """One line of the results."""
    p50, p95, p99 = (np.percentile(seconds, [50, 95, 99]) * 1000).tolist()
    return {
        "case": f"{clients} clients over {transport}, {ROWS} samples a request",
        "value": float(f"{len(seconds) * ROWS / duration:.4g}"),
        "unit": "samples per second",
        "direction": "higher is better",
        "milliseconds": {"p50": round(p50, 2), "p95": round(p95, 2), "p99": round(p99, 2)},
        "requests": len(seconds),
        "failed": len(failures),
        "target": "0 failed",
        "met": not failures,
        "seconds": duration,
    }


def flips(folder, addresses, duration):
    """Load while a new version appears every five seconds; zero failed requests are wanted."""
    numbers = iter(range(2, 10_000))

    def flip():
        draft = folder / NAME / ".draft"
        shutil.copytree(folder / NAME / "1", draft)
        number = next(numbers)
        draft.rename(folder / NAME / str(number))

    seconds, failures = load(addresses, "grpc", 8, duration, during=flip)
    record = load_record("grpc", 8, duration, seconds, failures)
    return {**record, "case": f"8 clients over grpc, {next(numbers) - 2} new versions meanwhile"}


def resident():
    """Resident memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def _reload(folder, times, pipe):
    """In a process of its own: reloads version after version, one kept at a time; sends the memory."""
    (folder / "models.config").unlink(missing_ok=True)  # without it only the newest version is kept
    with server.running(folder, poll_seconds=1e6) as handle:
        memory = []
        for number in range(2, times + 2):
            shutil.copytree(folder / NAME / str(number - 1), folder / NAME / str(number))
            handle.refresh()
            shutil.rmtree(folder / NAME / str(number - 1))
            Client(grpc=handle.grpc_address, name=NAME).sample(range(ROWS))
            memory.append(resident())
        pipe.send(memory)


def reloads(folder, times):
    """Resident memory after many reloads over that after the first few."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_reload, args=(folder, times, theirs))
    process.start()
    memory = mine.recv()
    process.join()
    warm = memory[min(9, len(memory) // 2)]
    return {
        "case": f"resident memory after {times} reloads over that after {memory.index(warm) + 1}",
        "value": float(f"{memory[-1] / warm:.4g}"),
        "unit": "ratio",
        "direction": "lower is better",
        "mebibytes": [round(m, 1) for m in memory[:: max(1, times // 10)]],
        "target": 1.1,
        "met": memory[-1] <= 1.1 * warm,
    }


def noise(version, rounds):
    """Seconds of `sample` for 256 seeds over `decode` of 256 codes, taking turns."""
    model = LoadedModel(version)
    rng = np.random.default_rng(0)
    seeds, codes = np.arange(256), rng.uniform(-1, 1, (256, 10)).astype(np.float32)
    times = []
    for _ in range(rounds + 10):
        start = time.perf_counter()
        model.run("sample", {"seed": seeds})
        middle = time.perf_counter()
        model.run("decode", {"latent": codes})
        times.append((middle - start, time.perf_counter() - middle))
    model.close()
    sample, decode = np.median(times[10:], axis=0)
    return {
        "case": "sample of 256 seeds over decode of 256 codes",
        "value": float(f"{sample / decode:.3g}"),
        "unit": "ratio of median wall seconds",
        "direction": "lower is better",
        "milliseconds": {"sample": round(sample * 1000, 3), "decode": round(decode * 1000, 3)},
        "rounds": rounds,
        "target": 1.5,
        "met": bool(sample <= 1.5 * decode),
    }


def machine():
    """What the numbers were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0],
        "cores": len(names),
        "python": platform.python_version(),
        "load_average_before": round(os.getloadavg()[0], 1),
    }


def measure(arguments):
    """Records of the chosen cases."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "models"
        version = write_model(folder)
        gc.collect(), gc.freeze()  # JSON makes many small lists: collections that walk TensorFlow would stall
        if "noise" in arguments.cases:
            yield noise(version, arguments.rounds)
        if "reloads" in arguments.cases:
            yield reloads(Path(shutil.copytree(folder, Path(name) / "reloads")), arguments.reloads)
        with contextlib.closing(ServerProcess(folder)) as process:
            for transport in [case for case in ("grpc", "rest") if case in arguments.cases]:
                for clients in CLIENTS:
                    result = load(process.addresses, transport, clients, arguments.seconds)
                    yield load_record(transport, clients, arguments.seconds, *result)
            if "flips" in arguments.cases:
                yield flips(folder, process.addresses, max(arguments.seconds, 2 * FLIP_SECONDS))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--reloads", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=100, help="of sample and decode in turns")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    results = {"machine": machine(), "records": []}
    for line in measure(arguments):
        print(json.dumps(line), file=sys.stderr, flush=True)
        results["records"].append(line)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
