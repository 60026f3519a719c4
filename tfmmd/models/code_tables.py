"""The stored codes of the generative auto-encoder: where they come from and whether they can be used."""

import warnings

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute

NARROW = 0.01  # width over spread; 0.1 to 0.3 is usual, 0.002 is what a model without regulariser runs to
VOID = 0.1  # spread over width: below it a code says nothing of its row


class KeepCodes(keras.callbacks.Callback):
    """Stores the codes of the training rows after every epoch, before other callbacks look at the model.

    `GAE.fit` adds it for arrays; add it yourself, first in the list, to a `fit` on an endless dataset.

    Args:
        x: The training rows, as `GAE.store_codes` takes them.
    """

    def __init__(self, x):
        super().__init__()
        self.rows = x

    def on_epoch_end(self, epoch, logs=None):
        self.model.store_codes(self.rows, warn=False)

    def on_train_end(self, logs=None):
        if distribute.unscaled(self.model.optimizer).use_ema:  # Keras has put averages for the weights
            self.model.store_codes(self.rows, warn=False)
        tables = (keras.ops.convert_to_numpy(v) for v in (self.model.code_means, self.model.code_scales))
        warn_if_collapsed(*tables)


def blocks(x, batch_size, sample_shape):
    """The rows of an array or dataset in blocks `[b, ...]`."""
    if not isinstance(x, tf.data.Dataset):
        return (x[start : start + batch_size] for start in range(0, len(x), batch_size))
    check_fixed(x)
    return (_rows_of(element) for element in _batched(x, batch_size, sample_shape))


def _batched(dataset, batch_size, sample_shape):
    """A dataset of single examples in batches; batches stay."""
    spec = tf.nest.flatten(dataset.element_spec)[0]
    return dataset.batch(batch_size) if spec.shape.rank == len(sample_shape) else dataset


def _rows_of(element):
    return element[0] if isinstance(element, (tuple, list)) else element


def is_fixed(dataset):
    """Whether a dataset ends and starts with the same elements each time."""
    if int(dataset.cardinality()) < 1:
        return False
    first, again = (list(dataset.take(8)) for _ in range(2))
    pairs = zip(tf.nest.flatten(first), tf.nest.flatten(again))
    return all(np.array_equal(a, b) for a, b in pairs)


def check_fixed(dataset):
    """Refuses a dataset whose rows cannot be stored one code each."""
    if not is_fixed(dataset):
        checks.fail(
            "Codes are stored one per training row: the dataset must end, have a known cardinality and a fixed order.",
            f"cardinality={int(dataset.cardinality())}, or other elements at the second reading",
            "Call store_codes with the training array, or leave out repeat(), shuffle() and random maps.",
        )


def check_sizes(num_rows, batch_size, num_components, leave_one_out):
    """Checks the rows of a `fit` against the batch and the stored mixture."""
    if batch_size is not None and num_rows < batch_size:
        checks.fail(
            "GAE needs at least as many training rows as a batch holds.",
            f"{num_rows} rows, batch_size={batch_size}",
            "Use a smaller batch_size.",
        )
    check_count(num_rows, num_components)
    last = num_rows % (batch_size or 32) or min(num_rows, batch_size or 32)
    check_batch(last, num_rows, leave_one_out)


def check_count(num_rows, num_components):
    """Checks that rows to store are as many as the model has components."""
    if num_components not in (None, num_rows):
        checks.fail(
            f"This GAE is of {num_components} training rows, each of which is a component.",
            f"{num_rows} rows",
            "Hand in the same rows, or build a new model for others.",
        )


def check_batch(rows, num_components, leave_one_out):
    """Checks a batch of `rows` rows, None where unknown."""
    if rows is None:
        return
    if rows > num_components:
        checks.fail(
            "A batch must be drawn without replacement from the training rows.",
            f"a batch of {rows} rows, num_components={num_components}",
            "Use a smaller batch, or the right `num_components`.",
        )
    if leave_one_out and rows < 2:
        checks.fail(
            "`leave_one_out=True` needs at least 2 rows in every batch.",
            f"a batch of {rows} row",
            "Use another batch size, so that the last batch is not a single row, or leave_one_out=False.",
        )


def warn_if_collapsed(means, scales):
    """The alarm: kernels that shrank to points, or codes that say nothing of their rows, with the numbers."""
    spread, width = float(np.mean(np.std(means, axis=0))), float(np.median(scales))
    numbers = f"median kernel width {width:.3g}, spread of the means {spread:.3g}, {len(means)} components"
    if len(means) > 1 and width < NARROW * spread:
        _warn(
            "Kernels must overlap test points; these shrank to points, where held-out likelihoods run to -inf.",
            numbers,
            "Raise lambda1 and lambda2 (1/2 is the published motivation), or use leave_one_out=True.",
        )
    if len(means) > 1 and spread < VOID * width:
        _warn(
            "Codes must differ between rows; these are one heap of noise.",
            numbers,
            "Lower lambda1 and lambda2, use more draws, or estimator='pathwise'.",
        )


def warn_if_stale(model):
    """Warns when the encoder was trained after its codes were stored."""
    if model.codes_are_stale:
        _warn(
            "The stored codes should be those of the trained encoder.",
            "a fit on a dataset without fixed order after the last store_codes",
            "Call store_codes(training_rows).",
        )


def first_entry(variable):
    """The first entry of a Keras variable, on any strategy."""
    value = variable.value
    return np.ravel((getattr(value, "values", None) or [value])[0][:1, :1])[0]


def _warn(expected, received, mend):
    warnings.warn(checks.message(expected, received, mend), stacklevel=4)
