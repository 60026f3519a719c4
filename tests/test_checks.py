"""Errors say what was expected, what came and how to mend it."""

import numpy as np
import pytest
import tensorflow as tf

from tfmmd import checks

BAD = {
    "rank": (lambda: checks.rank("x", np.zeros((2, 3, 4)), 2), "rank 2"),
    "features": (lambda: checks.same_features(np.zeros((2, 3)), np.zeros((2, 4))), r"y.shape=\(2, 4\)"),
    "rows": (lambda: checks.min_rows("x", np.zeros((1, 3)), 2, "`unbiased`", "Use more."), "at least 2 rows"),
    "empty": (lambda: checks.not_empty("x", np.zeros((0, 3))), "at least one row"),
    "nan": (lambda: checks.finite("x", np.array([[0.0, np.nan]])), r"index \(0, 1\)"),
    "inf in float16": (lambda: checks.finite("x", np.array([np.inf], np.float16)), r"index \(0,\)"),
    "positive": (lambda: checks.positive("bandwidths", [1.0, 0.0]), "positive"),
    "no numbers": (lambda: checks.positive("bandwidths", []), "at least one"),
    "one number": (lambda: checks.positive_number("scale", [1.0, 2.0]), "one number"),
    "whole": (lambda: checks.positive_int("n", 1.5), "whole"),
    "int64": (lambda: checks.int64("seed", 2**63), "int64"),
    "choice": (lambda: checks.one_of("preset", "quik", ["quick", "paper"]), "Did you mean 'quick'"),
    "negative": (lambda: checks.non_negative("weight", -1), "zero or more"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_refused_with_what_was_received(name):
    call, words = BAD[name]
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert "Received: " in str(error.value) and str(error.value).rstrip().endswith((".", "?"))


GOOD = {
    "rank unknown while tracing": lambda: checks.rank("x", tf.keras.Input((3,)), 2),
    "rows unknown": lambda: checks.min_rows("x", tf.TensorSpec([None, 3]), 2, "", ""),
    "integers are finite": lambda: checks.finite("x", np.arange(3)),
    "bfloat16": lambda: checks.finite("x", tf.constant([1.0], tf.bfloat16)),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_values_pass(name):
    GOOD[name]()
