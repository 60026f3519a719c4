"""What the benchmarks share: peers in processes of their own, interleaved rounds, medians, memory, JSON.

Variants take turns within each round, so that a busy machine slows all of them alike. A ratio is the median
over rounds of the ratio within a round; lower is better.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PEER_VENV = ROOT / ".venv-bench"
RESULTS = ROOT / "docs" / "results"


class Peer:
    """A script in the peers' environment: one JSON line a request, one a reply.

    Args:
        script: File name in this folder.
        packages: Requirements that the environment needs; they are installed where one is missing.
        environment: Folder of the environment, for peers that cannot share one.
    """

    def __init__(self, script, packages, environment=PEER_VENV):
        python = environment / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", *packages], check=True, stderr=subprocess.DEVNULL
        )
        self.process = subprocess.Popen(
            [python, Path(__file__).with_name(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request):
        """The reply to a request, a dictionary."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()


def timed(function, steps=1):
    """A function that runs `function()`, of `steps` steps, and gives the wall and CPU seconds of a step."""

    def run():
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return {"wall": wall / steps, "cpu": cpu / steps}

    return run


def interleaved(variants, rounds):
    """Times of variants that take turns, each round beginning with the next one: a place costs or saves time.

    Args:
        variants: Name -> function that runs once and returns {"wall": s, "cpu": s}.
        rounds: Number of turns after one to warm up.

    Returns:
        Name -> list of times.
    """
    times = {name: [] for name in variants}
    for turn in range(rounds + 1):
        first = turn % len(variants)
        for name in [*variants][first:] + [*variants][:first]:
            record = variants[name]()
            if turn:
                times[name].append(record)
    return times


def medians(times):
    """Name -> median wall and CPU milliseconds."""
    return {
        name: {f"{kind}_ms": 1e3 * statistics.median(r[kind] for r in records) for kind in ("wall", "cpu")}
        for name, records in times.items()
    }


def ratios(times, ours):
    """Median over rounds of our time over each other's: name -> {"wall": ratio, "cpu": ratio}."""
    return {
        name: {
            kind: statistics.median(a[kind] / b[kind] for a, b in zip(times[ours], records))
            for kind in ("wall", "cpu")
        }
        for name, records in times.items()
        if name != ours
    }


def step_record(rounds):
    """The beginning of a record of training steps; `cases` is to be filled."""
    return {"unit": "ms per training step", "direction": "lower is better", "rounds": rounds, "cases": {}}


def peak_above(function):
    """Megabytes that `function()` needs at its peak above what the process held before (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    function()
    return (_status("VmHWM") - before) / 1024


def _status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def machine():
    """Where the figures come from."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
    }


def _processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())


def read(name):
    """The record of `docs/results/NAME.json`."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def write(name, record):
    """Writes `docs/results/NAME.json` with the machine beside the record."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**record, "machine": machine()}, indent=1) + "\n")
    return path
