"""What the Improved GAN models share: labels, accuracy, ensembles, inner layers, initial scales."""

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute, layers
from tfmmd.models.data_checks import check_unweighted

ONE_LABEL_A_ROW = "Labels must be one whole number for each row of `x`."
MEND_OF_CLASSES = "Number the classes from 0, or give the critic more outputs."
MEND_OF_LABELS = "Turn one-hot labels into numbers with y.argmax(axis=1), a column [n, 1] with y.reshape(-1)."


def accuracy(logits, labels):
    """Share `[]` of rows over the global batch whose greatest logit `[b, K]` is that of the label `[b]`."""
    right = tf.equal(tf.argmax(logits, axis=1), tf.cast(labels, tf.int64))
    return distribute.mean(tf.cast(right, tf.float32))


def average_predictions(models, x, batch_size=1000):
    """Class probabilities of an ensemble: the mean over its members.

    Args:
        models: Classifiers whose `predict` gives probabilities `[n, K]`, one or more.
        x: Rows `[n, ...]`.
        batch_size: Rows predicted at once.

    Returns:
        Array `[n, K]`.

    Example:
        ```python
        errors = np.sum(np.argmax(average_predictions(models, images), axis=1) != labels)
        ```

    Reference: [salimans2016]
    """
    models = list(models)
    if not models:
        checks.fail("An ensemble needs at least one model.", "models=[]", "Give a list of trained models.")
    return np.mean([model.predict(x, batch_size=batch_size, verbose=0) for model in models], axis=0)


def features_of(network, layer_name):
    """A function (x, training) -> the output of a functional network's layer, rows `[b, f]`.

    Raises:
        ValueError: If there is no such layer, with the names that there are.
    """
    names = [layer.name for layer in network.layers]
    output = network.get_layer(checks.one_of("feature_layer", layer_name, names)).output
    until, flatten = keras.Model(network.inputs[0], output), keras.layers.Flatten(dtype="float32")
    # Flatten stays outside of the model, where a loaded layer may have its name; the function keeps Keras from
    # tracking layers twice.
    return lambda x, training: flatten(until(x, training=training))


def initialize_players(model, x):
    """Data-dependent initialisation of a model's generator, on codes of its prior, and critic, on `x` `[b, ...]`."""
    model.check_data(x)
    layers.initialize(model.generator, model.draw_latent(len(x), 0, "initialization"))
    layers.initialize(model.critic, tf.cast(x, model.compute_dtype))


def check_labels(labels, rows, num_classes, *, every_class=False):
    """Checks labels `[rows]`, integers 0..K-1, optionally at least one of each."""
    if labels is None:
        checks.fail("Labels are needed.", "y=None", "Call fit(x, y, unlabelled=images).")
    values = np.asarray(labels)
    if values.shape != (rows,) or values.dtype.kind not in "iu":
        checks.fail(ONE_LABEL_A_ROW, f"y.shape={values.shape} of {values.dtype}, {rows} rows", MEND_OF_LABELS)
    if values.size and not 0 <= values.min() <= values.max() < num_classes:
        checks.fail(
            labels_within(num_classes), f"labels from {values.min()} to {values.max()}", MEND_OF_CLASSES
        )
    missing = sorted(set(range(num_classes)) - set(values.tolist()))
    if every_class and missing:
        checks.fail(
            "Every class needs at least one labelled example.",
            f"no example of classes {missing}",
            "Choose the rows with tfmmd.data.balanced_labels.",
        )


def labels_within(num_classes):
    """The sentence on the range of labels."""
    return f"Labels must lie in 0..{num_classes - 1}, one for each logit of the critic."


def checked_labels(dataset, num_classes):
    """A dataset of (x, y), or of ((x, y), ...), that ends with an error at a label outside of 0..K-1.

    The labels are looked at in the pipeline, before the step: a step that XLA compiles has no assertions.
    """

    def check(*batch):
        labels = tf.cast((batch[0] if isinstance(batch[0], tuple) else batch)[1], tf.int64)
        outside = tf.boolean_mask(labels, (labels < 0) | (labels >= num_classes))
        told = [f"{labels_within(num_classes)} {MEND_OF_CLASSES} Received:", outside]
        with tf.control_dependencies([tf.debugging.Assert(tf.size(outside) == 0, told)]):
            return tf.nest.map_structure(tf.identity, batch)

    return dataset.map(check)


def checked_rows(x, y, num_classes):
    """Labelled rows (x, y) of an evaluation: labels of arrays are looked at now, those of a dataset `x` as it runs."""
    if isinstance(x, tf.data.Dataset):
        check_pair(x.element_spec)
        return checked_labels(x, num_classes), y
    if y is not None and hasattr(x, "__len__"):
        y = np.asarray(y)
        check_labels(y, len(x), num_classes)
    return x, y


def check_alone(unlabelled):
    """Refuses unlabelled rows beside a dataset, which brings its own."""
    if unlabelled is not None:
        checks.fail(
            "A dataset brings its unlabelled rows along.",
            "a dataset and unlabelled=...",
            "Make it with tfmmd.data.semi_supervised_batches, or give arrays.",
        )


def check_element(data):
    """The parts ((x, y), u) or ((x, y), u, v) of a semi-supervised batch; a batch (x, y) is ((x, y), x)."""
    if isinstance(data, (tuple, list)):
        data = tuple(part for part in data if part is not None)  # Keras fills up with None
        if len(data) == 2 and not isinstance(data[0], (tuple, list)) and len(checks.shape_of(data[1])) == 1:
            return (data, data[0])
    fits = isinstance(data, (tuple, list)) and len(data) in (2, 3)
    fits = fits and isinstance(data[0], (tuple, list)) and len(data[0]) == 2
    if not fits or any(isinstance(rows, (tuple, list)) for rows in data[1:]):
        checks.fail(
            "A batch must be ((x, y), u) or ((x, y), u, v): labelled rows, then unlabelled ones.",
            f"{tf.nest.map_structure(checks.shape_of, data)}",
            "Make the dataset with tfmmd.data.semi_supervised_batches.",
        )
    check_rank_of_labels(data[0][1])
    return data


def check_pair(data):
    """The pair (x, y) of a labelled batch."""
    if not isinstance(data, (tuple, list)) or len(data) < 2 or data[1] is None:
        checks.fail("Labels are needed.", "rows without labels", "Call evaluate(x, y).")
    check_rank_of_labels(data[1])
    check_unweighted({"sample_weight": data[2] if len(data) > 2 else None})
    return data[0], data[1]


def check_rank_of_labels(labels):
    """Checks that the labels of a batch are whole numbers `[b]`, as far as their shape is known."""
    shape, dtype = checks.shape_of(labels), tf.as_dtype(labels.dtype)
    if len(shape) > 1 or not dtype.is_integer:
        checks.fail(ONE_LABEL_A_ROW, f"labels of shape {shape} of {dtype.name}", MEND_OF_LABELS)
