"""Runs: recipes with their numbers, the runner, the command line `python -m trainers`."""
