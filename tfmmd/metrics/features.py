"""Feature extractors: images in, features out, from weights on this machine.

The one resize rule: images in [0, 1]; grey images are repeated to the network's number of channels; another
size is brought to the network's by `tf.image.resize`, bilinear with antialiasing; then the network's own
range of values. No weights are ever downloaded. KID, FID and inception scores compare within one extractor.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.metrics.feature_cache import file_hash, weights_hash
from tfmmd.networks.lenet import FEATURES


class Extractor:
    """A function from images to features, with a fingerprint that names exactly what it computes.

    Args:
        function: A `keras.Model` or a function, from images `[b, h, w, c]` in `value_range` to `[b, ...]`.
        image_size: `(h, w, c)` that `function` wants, or None to hand images over as they are.
        value_range: The values that `function` wants, `(0, 1)` or `(-1, 1)`.
        fingerprint: What tells this function from any other; of a `keras.Model` the hash of its weights.
        batch_size: Images at a time.
        name: Name in tables.

    Example:
        features = Extractor(my_classifier_body)(images)
    """

    def __init__(
        self,
        function,
        *,
        image_size=None,
        value_range=(0, 1),
        fingerprint=None,
        batch_size=256,
        name="extractor",
    ):
        is_model = isinstance(function, keras.Model)
        if is_model and image_size is None and None not in function.input_shape[1:]:
            image_size = function.input_shape[1:]
        self.function = _inference(function) if is_model else function
        self.image_size, self.value_range = image_size, tuple(value_range)
        self.batch_size, self.name = checks.positive_int("batch_size", batch_size), name
        self.fingerprint = weights_hash(function) if is_model and fingerprint is None else fingerprint

    def __call__(self, images):
        """Features `[n, d]`, float32, of images `[n, h, w, c]` in [0, 1]."""
        self._check(images)
        blocks = range(0, len(images), self.batch_size)
        return np.concatenate([self._features(images[i : i + self.batch_size]) for i in blocks])

    @property
    def preprocessing(self):
        """The settings of the resize rule, part of the key of cached features."""
        return {
            "image_size": self.image_size,
            "value_range": self.value_range,
            "resize": "bilinear antialias",
        }

    def _features(self, images):
        images = prepare(images, self.image_size, self.value_range)
        features = np.asarray(self.function(images), np.float32)
        return features.reshape(len(images), -1)

    def _check(self, images):
        checks.not_empty("images", images)
        checks.finite("images", images)
        if self.image_size is None:
            return
        checks.rank("images", images, 4)
        low, high = float(np.min(images)), float(np.max(images))
        if low < -1e-3 or high > 1 + 1e-3:
            checks.fail(
                "Images must lie in [0, 1].",
                f"values in [{low:.3g}, {high:.3g}]",
                "Rescale them; the extractor converts to its network's range by itself.",
            )


def lenet_features(path, *, sha256=None, **kwargs) -> Extractor:
    """The 512 features of a LeNet trained by `python -m trainers run lenet`, for KID and FID.

    Args:
        path: The trained model, a `.keras` file.
        sha256: Expected hash of the file, or None to skip the check.
        **kwargs: As in `Extractor`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the hash differs or the model has no layer named "features".
    """
    model = _load(path, sha256)
    if FEATURES not in [layer.name for layer in model.layers]:
        checks.fail(
            'A LeNet has a layer named "features".',
            f"layers {[layer.name for layer in model.layers]}",
            "Train one with `python -m trainers run lenet`, or use Extractor(model).",
        )
    body = keras.Model(model.input, model.get_layer(FEATURES).output)
    return Extractor(body, **{"name": "lenet", **kwargs})


def lenet_probabilities(path, *, sha256=None, **kwargs) -> Extractor:
    """The class probabilities of the same LeNet, for the inception score; as `lenet_features`."""
    model = _load(path, sha256)
    probabilities = keras.Model(model.input, keras.layers.Softmax(dtype="float32")(model.outputs[0]))
    return Extractor(probabilities, **{"name": "lenet probabilities", **kwargs})


def inception_features(path, *, sha256=None, **kwargs) -> Extractor:
    """The 2048 pooled features of `keras.applications.InceptionV3`.

    These are not the features of the published FID tables, which use the TensorFlow Inception graph of 2015:
    compare values of this extractor among themselves only.

    Args:
        path: Local weights without the top, a `.weights.h5` or `.h5` file.
        sha256: Expected hash of the file, or None to skip the check.
        **kwargs: As in `Extractor`.
    """
    path = _checked_file(path, sha256)
    model = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg", input_shape=(299, 299, 3)
    )
    model.load_weights(path)
    return Extractor(model, **{"value_range": (-1, 1), "batch_size": 32, "name": "inception", **kwargs})


def prepare(images, image_size=None, value_range=(0, 1)):
    """The resize rule: images `[b, h, w, c]` in [0, 1] as a network wants them.

    Args:
        images: Images `[b, h, w, c]`.
        image_size: `(h, w, c)` of the network, or None to leave sizes alone.
        value_range: Lowest and highest value that the network wants.

    Returns:
        float32 tensor `[b, *image_size]`.
    """
    images = tf.cast(images, tf.float32)
    if image_size is not None:
        height, width, channels = image_size
        if images.shape[-1] not in (1, channels):
            checks.fail(
                f"Images must have {channels} channel{'s or 1' if channels > 1 else ''}.",
                f"images.shape={checks.shape_of(images)}",
                "Convert them to grey or colour first.",
            )
        if images.shape[-1] != channels:
            images = tf.repeat(images, channels, axis=-1)
        if tuple(images.shape[1:3]) != (height, width):
            images = tf.image.resize(images, (height, width), method="bilinear", antialias=True)
    low, high = value_range
    return low + (high - low) * images


def _inference(model):
    """A model in inference mode, as a graph."""
    return tf.function(lambda images: model(images, training=False), reduce_retracing=True)


def _load(path, sha256):
    return keras.saving.load_model(_checked_file(path, sha256), compile=False)


def _checked_file(path, sha256):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            checks.message(
                "The extractor's weights must be a local file; none are downloaded.",
                f"path={str(path)!r}, which is no file",
                "For MNIST train a LeNet with `python -m trainers run lenet`.",
            )
        )
    if sha256 is not None and file_hash(path) != sha256:
        checks.fail(
            f"The file must have the sha256 {sha256}.",
            f"{file_hash(path)} of {str(path)!r}",
            "Use the weights that the reported numbers were made with.",
        )
    return path
