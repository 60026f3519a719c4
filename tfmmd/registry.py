"""Serialisation shared by everything that has settings."""

import keras

PACKAGE = "tfmmd"
register = keras.saving.register_keras_serializable(package=PACKAGE)


def serialize(value):
    """A Keras-serialisable form of a network, kernel, prior, function or plain value."""
    return keras.saving.serialize_keras_object(value)


def deserialize(value):
    """The inverse of `serialize`; plain values come back as they are."""
    return keras.saving.deserialize_keras_object(value)
