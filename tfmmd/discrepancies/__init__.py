"""Discrepancies: two samples -> a number, and the tests of hypotheses made of them."""

from tfmmd.discrepancies.mmd import energy_distance, mmd, mmd2
from tfmmd.discrepancies.moments import mmd2_and_variance
from tfmmd.discrepancies.sharded import check_shard_rows, global_mmd2
from tfmmd.discrepancies.two_sample import (
    KernelChoice,
    PermutationTest,
    RelativeTest,
    permutation_test,
    plot_null_distribution,
    relative_test,
    select_kernel,
)

__all__ = [
    "KernelChoice",
    "PermutationTest",
    "RelativeTest",
    "check_shard_rows",
    "energy_distance",
    "global_mmd2",
    "mmd",
    "mmd2",
    "mmd2_and_variance",
    "permutation_test",
    "plot_null_distribution",
    "relative_test",
    "select_kernel",
]
