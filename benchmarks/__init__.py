"""Benchmarks against peers that live in environments of their own: `python -m benchmarks NAME`."""
