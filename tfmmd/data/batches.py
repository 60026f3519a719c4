"""Training streams: batch t is a function of (seed, t) alone, wherever the stream starts."""

import tensorflow as tf

from tfmmd import checks, seeds
from tfmmd.data import images, stream

WINDOW = 2048
_PROBABILITIES = "`binarize` needs float values in [0, 1]."
_UNIT = "Load them with value_range=(0, 1)."


def steps_per_epoch(num_rows, batch_size, *, drop_remainder=True):
    """Number of batches in one pass over `num_rows` rows, at least one."""
    size = checks.positive_int("batch_size", batch_size)
    return stream.num_steps_in(checks.positive_int("num_rows", num_rows), size, drop_remainder)


def batches(
    x,
    batch_size,
    *,
    seed,
    start_step=0,
    num_steps=None,
    shuffle=True,
    drop_remainder=True,
    binarize=None,
    window=WINDOW,
) -> tf.data.Dataset:
    """The training stream of a data set.

    Batch t holds rows from the order of epoch t // steps_per_epoch, and that order is a function of
    (seed, epoch) alone. So a stream that starts at step t continues one that was stopped there, in the
    middle of an epoch too, bit for bit, and does so under any strategy: the batches are global ones.

    Args:
        x: Array `[n, ...]`, or a tuple or dict of arrays with equal n; or, for sets too large for memory,
            a tf.data.Dataset of single examples such as `load` gives (see `window`).
        batch_size: Rows in a batch over all replicas, `b`.
        seed: The run's seed.
        start_step: Step of the first batch, counted from the start of training: an int, or a tf.Variable
            that is read whenever an iteration starts.
        num_steps: Batches in one iteration. None never ends: use `fit(steps_per_epoch=...)`.
        shuffle: False takes the rows as they stand in every epoch.
        drop_remainder: Whether to leave out the rows of an epoch that do not fill a batch.
        binarize: None, "threshold" (x > 0.5) or "bernoulli": the values of x (of its first array, in the
            order in which a dict was written) in [0, 1] are probabilities, drawn anew in every step from
            (seed, step).
        window: For a tf.data.Dataset, rows that are permuted together: it mixes within windows only, and
            a start in the middle of an epoch reads and skips the rows before it.

    Returns:
        tf.data.Dataset with batches `[b, ...]` of x, of known cardinality: `num_steps` or infinite.

    Raises:
        ValueError: No data, NaN or inf, unequal numbers of rows, no full batch, or values that are not
            probabilities.
        tf.errors.InvalidArgumentError: From the stream of a tf.data.Dataset, at the first batch with NaN or
            inf, or with values that are not probabilities.

    Example:
        >>> x = tfmmd.data.arrays("digits")
        >>> stream = tfmmd.data.batches(x, 100, seed=1, start_step=1234)
        >>> model.fit(stream, steps_per_epoch=tfmmd.data.steps_per_epoch(len(x), 100), epochs=5)
    """
    batch_size, seed = checks.positive_int("batch_size", batch_size), checks.int64("seed", seed)
    checks.one_of("binarize", binarize, images.BINARIZE)
    role = "order" if shuffle else None
    if isinstance(x, tf.data.Dataset):
        return _windowed(x, batch_size, seed, role, drop_remainder, binarize, window, start_step, num_steps)
    values, count = stream.in_memory("x", x)
    _check_probabilities(values, binarize)
    per_epoch = stream.num_steps_in(count, batch_size, drop_remainder)
    rows = stream.Rows(values, count, batch_size, min(count, per_epoch * batch_size), role)

    def finish(step, where):
        return _redraw(stream.gather(rows, where[0]), binarize, seed, step)

    return stream.steps(stream.positions([rows], per_epoch, seed), per_epoch, start_step, num_steps, finish)


def _windowed(x, batch_size, seed, role, drop_remainder, binarize, window, start_step, num_steps):
    """The stream of a tf.data.Dataset of single examples: windows of rows are permuted, then batched."""
    count = _known_cardinality(x)
    if binarize is not None:
        _check_float(tf.nest.flatten(x.element_spec)[_first(x.element_spec)].dtype)
    per_epoch = stream.num_steps_in(count, batch_size, drop_remainder)
    window = checks.positive_int("window", window)
    num_windows = -(-count // window)

    def permuted(epoch, number, rows):
        if role is None:
            return rows
        everyone = tf.range(tf.shape(tf.nest.flatten(rows)[0])[0])
        pair = seeds.pair(seed, epoch * num_windows + number, role)
        where = tf.random.experimental.stateless_shuffle(everyone, pair, alg="philox")
        return tf.nest.map_structure(lambda values: tf.gather(values, where), rows)

    def epoch_batches(epoch, first):
        windows = x.batch(window).enumerate().map(lambda number, rows: permuted(epoch, number, rows))
        return windows.unbatch().batch(batch_size, drop_remainder).skip(first)

    def finish(step, batch):
        _assert_values(batch, binarize)
        return _redraw(batch, binarize, seed, step)

    return stream.steps(epoch_batches, per_epoch, start_step, num_steps, finish)


def _known_cardinality(x):
    count = int(x.cardinality())
    if count <= 0:
        checks.fail(
            "`x` must be a dataset of known cardinality with at least one row.",
            f"cardinality={count}",
            "Use x.apply(tf.data.experimental.assert_cardinality(n)).",
        )
    return count


def _redraw(batch, binarize, seed, step):
    """Binarises the first array of a batch by draws of this step."""
    if binarize is None:
        return batch
    leaves, index = tf.nest.flatten(batch), _first(batch)
    first = leaves[index]
    pair = seeds.pair(seed, step, "binarize")
    leaves[index] = images.binarize(
        first, binarize, lambda: seeds.uniform(tf.shape(first), pair, dtype=first.dtype)
    )
    return tf.nest.pack_sequence_as(batch, leaves)


def _first(nested):
    """The number, in the order of tf.nest, of the array that stands first: tf.nest sorts the keys of dicts."""
    numbers = tf.nest.pack_sequence_as(nested, range(len(tf.nest.flatten(nested))))
    while not isinstance(numbers, int):
        numbers = next(iter(numbers.values() if isinstance(numbers, dict) else numbers))
    return numbers


def _check_probabilities(values, binarize):
    if binarize is None:
        return
    first = tf.nest.flatten(values)[_first(values)]
    _check_float(first.dtype)
    low, high = tf.reduce_min(first).numpy(), tf.reduce_max(first).numpy()
    if low < 0 or high > 1:
        checks.fail(_PROBABILITIES, f"values from {low} to {high}", _UNIT)


def _check_float(dtype):
    if not dtype.is_floating:
        checks.fail(_PROBABILITIES, f"dtype {dtype.name}", f"{_UNIT} They stand first in a tuple or dict.")


def _assert_values(batch, binarize):
    """Stops a stream at values that `batches` refuses in arrays."""
    for leaf in tf.nest.flatten(batch, expand_composites=True):
        if leaf.dtype.is_floating:
            expected, mend = "`x` must be finite.", "Clean the data, for example with x.filter(...)."
            tf.debugging.assert_all_finite(leaf, checks.message(expected, "NaN or inf in a batch", mend))
    if binarize is not None:
        first = tf.nest.flatten(batch)[_first(batch)]
        words = checks.message(_PROBABILITIES, "values outside of it in a batch", _UNIT)
        tf.debugging.Assert(tf.reduce_all((first >= 0) & (first <= 1)), [words])
