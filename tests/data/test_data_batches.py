"""Training streams: a function of (seed, step)."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmmd import data

ROWS = np.arange(23)


def take(stream, count=None):
    return list((stream if count is None else stream.take(count)).as_numpy_iterator())


def check_equal(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def source(kind):
    """23 rows as an array, as a pair of arrays and as a dataset."""
    pair = (np.arange(23.0, dtype=np.float32)[:, None], ROWS)
    return {"array": ROWS, "pair": pair, "dataset": tf.data.Dataset.from_tensor_slices(pair)}[kind]


KINDS = pytest.mark.parametrize("kind", ["array", "pair", "dataset"])


@KINDS
@pytest.mark.parametrize("drop_remainder", [True, False])
@pytest.mark.parametrize("start", [1, 5, 13])
def test_a_stream_that_starts_late_continues_an_earlier_one(kind, drop_remainder, start):
    options = dict(seed=3, drop_remainder=drop_remainder, window=7)
    whole = take(data.batches(source(kind), 5, num_steps=20, **options))
    rest = take(data.batches(source(kind), 5, start_step=start, num_steps=20 - start, **options))
    check_equal(rest, whole[start:])


@KINDS
def test_no_tuning_thread_holds_up_the_end_of_a_stream(kind):
    assert data.batches(source(kind), 5, seed=1).options().autotune.enabled is False


@KINDS
def test_an_epoch_holds_every_row_once(kind):
    epoch = take(data.batches(source(kind), 5, seed=1, num_steps=5, drop_remainder=False))
    rows = np.concatenate([tf.nest.flatten(batch)[-1] for batch in epoch])
    np.testing.assert_array_equal(np.sort(rows), ROWS)


@KINDS
def test_epochs_have_different_orders(kind):
    steps = take(data.batches(source(kind), 23, seed=1, num_steps=2))
    assert (tf.nest.flatten(steps[0])[-1] != tf.nest.flatten(steps[1])[-1]).any()


@KINDS
def test_seeds_have_different_orders(kind):
    one, two = (take(data.batches(source(kind), 23, seed=seed, num_steps=1))[0] for seed in (1, 2))
    assert (tf.nest.flatten(one)[-1] != tf.nest.flatten(two)[-1]).any()


@KINDS
def test_the_global_seed_changes_nothing(kind):
    tf.random.set_seed(1)
    one = take(data.batches(source(kind), 5, seed=1, num_steps=6))
    tf.random.set_seed(2)
    check_equal(one, take(data.batches(source(kind), 5, seed=1, num_steps=6)))


@KINDS
def test_rows_of_a_batch_belong_together(kind):
    for batch in take(data.batches(source(kind), 5, seed=1, num_steps=8)):
        if kind != "array":
            np.testing.assert_array_equal(batch[0][:, 0], batch[1])


@KINDS
def test_without_shuffle_rows_come_as_they_stand_in_every_epoch(kind):
    steps = take(data.batches(source(kind), 5, seed=1, shuffle=False, drop_remainder=False, num_steps=10))
    rows = np.concatenate([tf.nest.flatten(batch)[-1] for batch in steps])
    np.testing.assert_array_equal(rows, np.tile(ROWS, 2))


@KINDS
def test_the_last_rows_are_left_out_only_on_request(kind):
    for drop_remainder, sizes in [(True, [5, 5, 5, 5, 5]), (False, [5, 5, 5, 5, 3])]:
        stream = data.batches(source(kind), 5, seed=1, num_steps=5, drop_remainder=drop_remainder)
        assert [len(tf.nest.flatten(batch)[-1]) for batch in take(stream)] == sizes


@KINDS
def test_the_cardinality_is_known(kind):
    assert int(data.batches(source(kind), 5, seed=1, num_steps=7).cardinality()) == 7
    assert int(data.batches(source(kind), 5, seed=1).cardinality()) == tf.data.INFINITE_CARDINALITY


def test_full_batches_have_a_static_size():
    assert data.batches(ROWS, 5, seed=1).element_spec.shape == (5,)


def test_a_variable_start_is_read_whenever_an_iteration_starts():
    step = tf.Variable(0, dtype=tf.int64)
    stream = data.batches(ROWS, 5, seed=1, start_step=step, num_steps=4)
    whole = take(data.batches(ROWS, 5, seed=1, num_steps=12))
    for epoch in range(3):
        step.assign(4 * epoch)
        check_equal(take(stream), whole[4 * epoch : 4 * epoch + 4])


def test_a_dict_of_arrays_keeps_its_names():
    (batch,) = take(data.batches({"x": ROWS, "y": -ROWS}, 5, seed=1, num_steps=1))
    np.testing.assert_array_equal(batch["x"], -batch["y"])


def test_bernoulli_pixels_are_drawn_anew_in_every_step():
    half = np.full([4, 100], 0.5, np.float32)
    one, two = take(data.batches(half, 4, seed=1, num_steps=2, binarize="bernoulli"))
    assert set(np.unique(one)) == {0.0, 1.0}
    assert (one != two).any()


def test_bernoulli_pixels_are_a_function_of_seed_and_step():
    half = np.full([23, 100], 0.5, np.float32)
    whole = take(data.batches(half, 5, seed=1, num_steps=9, binarize="bernoulli"))
    rest = take(data.batches(half, 5, seed=1, start_step=6, num_steps=3, binarize="bernoulli"))
    check_equal(rest, whole[6:])


def test_bernoulli_pixels_are_on_with_their_own_probability():
    p = np.tile(np.linspace(0, 1, 5, dtype=np.float32), (4000, 1))
    (drawn,) = take(data.batches(p, 4000, seed=1, num_steps=1, binarize="bernoulli"))
    np.testing.assert_allclose(drawn.mean(axis=0), p[0], atol=0.04)


def test_binarisation_leaves_labels_alone():
    pair = (np.full([23, 2], 0.5, np.float32), ROWS)
    (batch,) = take(data.batches(pair, 23, seed=1, num_steps=1, binarize="threshold"))
    np.testing.assert_array_equal(np.sort(batch[1]), ROWS)


@pytest.mark.parametrize("kind", ["arrays", "dataset"])
def test_binarisation_is_of_the_array_that_is_written_first(kind):
    x = {"x": np.full([23, 2], 0.5, np.float32), "a": np.full([23], 0.25, np.float32)}
    x = tf.data.Dataset.from_tensor_slices((x, ROWS)) if kind == "dataset" else (x, ROWS)
    ((batch, _),) = take(data.batches(x, 23, seed=1, num_steps=1, binarize="bernoulli"))
    assert set(np.unique(batch["x"])) == {0.0, 1.0} and set(batch["a"]) == {0.25}


@pytest.mark.parametrize("binarize", ["threshold", "bernoulli"])
def test_a_dataset_of_no_floats_is_not_binarised(binarize):
    with pytest.raises(ValueError, match=r"float values in \[0, 1\].*dtype int64"):
        data.batches(tf.data.Dataset.range(4), 2, seed=1, binarize=binarize)


@pytest.mark.parametrize(
    "value, binarize, words",
    [
        (np.nan, None, "must be finite"),
        (np.inf, None, "must be finite"),
        (np.nan, "bernoulli", "must be finite"),
        (1.5, "threshold", r"float values in \[0, 1\]"),
        (-0.5, "bernoulli", r"float values in \[0, 1\]"),
    ],
)
def test_a_dataset_stops_at_values_that_arrays_may_not_hold(value, binarize, words):
    x = tf.data.Dataset.from_tensor_slices(np.array([0, 1, 0.5, value], np.float32))
    stream = data.batches(x, 2, seed=1, shuffle=False, num_steps=2, binarize=binarize).as_numpy_iterator()
    next(stream)
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        next(stream)


@keras.saving.register_keras_serializable(package="tests")
class Recorder(keras.Model):
    """Keeps the rows that `fit` hands to its training steps."""

    def __init__(self):
        super().__init__()
        self.seen, self.built = [], True

    def train_step(self, batch):
        self.seen.append(batch.numpy())
        return {"loss": 0.0}


def fitted(stream, **options):
    model = Recorder()
    model.compile(optimizer=None, run_eagerly=True)
    model.fit(stream, shuffle=False, verbose=0, **options)
    return model.seen


@pytest.mark.filterwarnings("ignore")
def test_fit_goes_on_through_the_endless_stream_over_its_epochs():
    seen = fitted(data.batches(ROWS, 5, seed=1), steps_per_epoch=3, epochs=4)
    check_equal(seen, take(data.batches(ROWS, 5, seed=1, num_steps=12)))


@pytest.mark.parametrize("count, size, expected", [(23, 5, (4, 5)), (20, 5, (4, 4)), (5, 5, (1, 1))])
def test_steps_per_epoch_counts_full_batches_or_all(count, size, expected):
    full = data.steps_per_epoch(count, size), data.steps_per_epoch(count, size, drop_remainder=False)
    assert full == expected


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"x": np.zeros([0, 2])}, "at least one row"),
        ({"x": np.array([[np.nan]])}, "finite"),
        ({"x": np.array([[np.inf]], np.float32)}, "finite"),
        ({"x": (np.zeros(3), np.zeros(4))}, "same number of rows"),
        ({"x": ROWS, "batch_size": 24}, "must not exceed"),
        ({"x": ROWS, "batch_size": 0}, "positive whole number"),
        ({"x": ROWS, "start_step": -1}, "zero or more"),
        ({"x": ROWS, "start_step": 1.5}, "whole number"),
        ({"x": ROWS, "num_steps": 0}, "positive whole number"),
        ({"x": ROWS, "seed": 0.5}, "whole number"),
        ({"x": ROWS, "binarize": "coin"}, "must be one of"),
        ({"x": ROWS, "binarize": "bernoulli"}, r"float values in \[0, 1\]"),
        ({"x": ROWS - 1.0, "binarize": "bernoulli"}, r"float values in \[0, 1\]"),
        ({"x": tf.data.Dataset.range(4).filter(lambda i: i > 1), "batch_size": 2}, "known cardinality"),
    ],
)
def test_a_wrong_argument_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        data.batches(**{"batch_size": 1, "seed": 1, **arguments})
