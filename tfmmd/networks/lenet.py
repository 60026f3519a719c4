"""The LeNet whose features and classes measure samples on MNIST and other small labelled images."""

import keras

from tfmmd import checks

FEATURES = "features"  # the name of the 512 ReLU units, read by tfmmd.metrics.features


def lenet(input_shape=(28, 28, 1), num_classes=10, *, num_features=512, dropout=0.5):
    """The LeNet of the MMD GAN measures: two 5x5 convolutions, 512 features, class logits.

    Input in [0, 1], shifted by -0.5 inside. KID and FID are taken on the layer named "features", the
    inception score on the softmax of the output.

    Args:
        input_shape: Shape of one image, `(h, w, c)`.
        num_classes: Number of classes.
        num_features: Units of the feature layer.
        dropout: Share of features dropped in training.

    Returns:
        A built `keras.Model`, `[b, h, w, c]` -> logits `[b, num_classes]`, float32 under every policy.

    Reference: [lecun1998], [binkowski2018]
    """
    checks.positive_int("num_classes", num_classes)
    inputs = keras.Input(tuple(input_shape))
    x = keras.layers.Rescaling(1.0, offset=-0.5)(inputs)
    for filters in (32, 64):
        x = keras.layers.Conv2D(filters, 5, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Dense(num_features, activation="relu", name=FEATURES)(keras.layers.Flatten()(x))
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, dtype="float32")(x), name="lenet")
