"""Labelled subsets, and streams of labelled and unlabelled rows."""

import numpy as np
import pytest
import tensorflow as tf

from tfmmd import data

LABELS = np.arange(60) % 3
FEW = (np.arange(4.0), np.arange(4))
MANY = np.arange(20.0)


def take(**options):
    options = {"labelled": FEW, "unlabelled": MANY, "batch_size": 5, "seed": 1, **options}
    return list(data.semi_supervised_batches(**options).as_numpy_iterator())


def test_a_balanced_subset_has_equally_many_rows_of_every_class():
    rows = data.balanced_labels(LABELS, 7, seed=1)
    np.testing.assert_array_equal(np.bincount(LABELS[rows]), [7, 7, 7])
    assert len(set(rows)) == 21


def test_a_balanced_subset_is_the_published_one():
    order = np.random.RandomState(5).permutation(60)
    expected = [[row for row in order if LABELS[row] == label][:2] for label in range(3)]
    np.testing.assert_array_equal(data.balanced_labels(LABELS, 2, seed=5), np.concatenate(expected))


def test_seeds_give_different_subsets():
    one, two = (data.balanced_labels(LABELS, 5, seed=seed) for seed in (1, 2))
    assert set(one) != set(two)


FORMS = {
    "a column": LABELS[:, None],
    "bytes": LABELS[:, None].astype(np.uint8),
    "a list": LABELS.tolist(),
    "a tensor": tf.constant(LABELS),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_may_be_a_column_or_a_list(form):
    expected = data.balanced_labels(LABELS, 7, seed=1)
    np.testing.assert_array_equal(data.balanced_labels(FORMS[form], 7, seed=1), expected)


@pytest.mark.parametrize("labels", [FEW[1][:, None], FEW[1].tolist()], ids=["a column", "a list"])
def test_labels_of_a_stream_may_be_a_column_or_a_list(labels):
    for ((x, y), _), ((_, expected), _) in zip(
        take(labelled=(FEW[0], labels), num_steps=2), take(num_steps=2)
    ):
        np.testing.assert_array_equal(y, x)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("labels", [[[0], [0, 1]], ["cat", "dog"]], ids=["ragged", "words"])
def test_a_list_of_no_labels_is_refused(labels):
    with pytest.raises(ValueError, match="Received"):
        data.balanced_labels(labels, 1, seed=1)


@pytest.mark.parametrize(
    "labels, words",
    [
        ([0, 1, 1, 3, 3, 0], r"\[2, 2, 0, 2\]"),
        ([0, 0, 1], r"\[2, 1\]"),
        ([-1, 0, 0, 1, 1], "from 0"),
        ([0.0, 0.0, 1.0, 1.0], "whole numbers"),
        ([[0, 0], [1, 1]], "rank 1.*argmax"),
        ([], "at least one row"),
    ],
)
def test_labels_that_cannot_be_balanced_are_refused(labels, words):
    with pytest.raises(ValueError, match=words):
        data.balanced_labels(np.array(labels), 2, seed=1)


def test_a_step_holds_labelled_and_unlabelled_rows():
    ((x, y), u, v) = take(num_steps=1, num_unlabelled=2, labelled_batch_size=3)[0]
    assert (x.shape, y.shape, u.shape, v.shape) == ((3,), (3,), (5,), (5,))


def test_labels_stay_with_their_rows():
    for (x, y), _ in take(num_steps=9):
        np.testing.assert_array_equal(x, y)


def test_an_epoch_holds_every_unlabelled_row_once_in_each_stream():
    epoch = take(num_steps=4, num_unlabelled=2)
    for stream in (1, 2):
        np.testing.assert_array_equal(np.sort(np.concatenate([step[stream] for step in epoch])), MANY)


def test_unlabelled_streams_have_orders_of_their_own():
    assert any((u != v).any() for _, u, v in take(num_steps=4, num_unlabelled=2))


def test_labelled_rows_come_up_in_whole_permutations():
    rows = np.concatenate([y for (_, y), _ in take(num_steps=4)])
    for start in range(0, len(rows), 4):
        np.testing.assert_array_equal(np.sort(rows[start : start + 4]), FEW[1])


def test_many_labelled_rows_are_all_different_within_an_epoch():
    labelled = (np.arange(30.0), np.arange(30))
    rows = np.concatenate([y for (_, y), _ in take(labelled=labelled, num_steps=4)])
    assert len(set(rows)) == 20


@pytest.mark.parametrize("start", [1, 4, 6])
def test_a_stream_that_starts_late_continues_an_earlier_one(start):
    whole, rest = take(num_steps=10), take(start_step=start, num_steps=10 - start)
    for ((x, y), u), ((x2, y2), u2) in zip(whole[start:], rest, strict=True):
        np.testing.assert_array_equal(np.concatenate([x, y, u]), np.concatenate([x2, y2, u2]))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"labelled": MANY}, "pair"),
        ({"labelled": (np.zeros(4), np.zeros([4, 2]))}, "rank 1"),
        ({"labelled": (np.zeros(4), np.zeros(3))}, "same number of rows"),
        ({"labelled": (np.zeros([4, 2]), np.zeros(4))}, "same shape and type"),
        ({"labelled": (np.array([np.nan]), np.zeros(1))}, "finite"),
        ({"unlabelled": np.zeros(0)}, "at least one row"),
        ({"batch_size": 21}, "must not exceed"),
        ({"num_unlabelled": 0}, "positive whole number"),
        ({"labelled_batch_size": 0}, "positive whole number"),
    ],
)
def test_a_wrong_argument_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        take(num_steps=1, **options)
