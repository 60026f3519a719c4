"""`python -m benchmarks` runs all benchmarks, `python -m benchmarks NAME ...` one of them with its options."""

import runpy
import subprocess
import sys

NAMES = (
    "mmd",
    "two_sample",
    "metrics",
    "train_step",
    "wae_step",
    "gae_step",
    "semi_supervised_step",
    "serving",
)


def main(arguments):
    """Runs one benchmark in this process, or all of them in turn; returns the exit code."""
    if not arguments:
        return max(subprocess.run([sys.executable, "-m", "benchmarks", name]).returncode for name in NAMES)
    if arguments[0] not in NAMES:
        print(f"NAME must be one of {', '.join(NAMES)}. Received: {arguments[0]}.", file=sys.stderr)
        return 2
    sys.argv = [f"benchmarks {arguments[0]}", *arguments[1:]]
    runpy.run_module(f"benchmarks.{arguments[0]}", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
