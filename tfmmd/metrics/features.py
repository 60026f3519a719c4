"""Feature extractors: images in, features out, from weights on this machine.

The one resize rule: images in [0, 1]; grey images are repeated to the network's number of channels; another
size is brought to the network's by `tf.image.resize`, bilinear with antialiasing; then the network's own value
range. No weights are ever downloaded. Values of KID, FID and the inception score compare within one extractor.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks

_LAYER = "features"


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
        self.function, self.image_size, self.value_range = function, image_size, tuple(value_range)
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
        call = {"training": False} if isinstance(self.function, keras.Model) else {}
        features = np.asarray(self.function(images, **call), np.float32)
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
    if _LAYER not in [layer.name for layer in model.layers]:
        checks.fail(
            'A LeNet has a layer named "features".',
            f"layers {[layer.name for layer in model.layers]}",
            "Train one with `python -m trainers run lenet`, or use Extractor(model).",
        )
    body = keras.Model(model.inputs, model.get_layer(_LAYER).output)
    return Extractor(body, **{"name": "lenet", **kwargs})


def lenet_probabilities(path, *, sha256=None, **kwargs) -> Extractor:
    """The class probabilities of the same LeNet, for the inception score; arguments as in `lenet_features`."""
    model = _load(path, sha256)
    probabilities = keras.Model(model.inputs, keras.layers.Softmax(dtype="float32")(model.outputs[0]))
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
                f"Images must have 1 or {channels} channels.",
                f"images.shape={checks.shape_of(images)}",
                "Convert them to grey or colour first.",
            )
        if images.shape[-1] != channels:
            images = tf.repeat(images, channels, axis=-1)
        if tuple(images.shape[1:3]) != (height, width):
            images = tf.image.resize(images, (height, width), method="bilinear", antialias=True)
    low, high = value_range
    return low + (high - low) * images


def cached_features(extractor, images, cache_dir, *, data, split):
    """Features of `images`, read from `cache_dir` when exactly these were computed before.

    The key holds the data's name, split and content, the preprocessing and the extractor's fingerprint: a
    change of any of them computes anew.

    Args:
        extractor: An `Extractor` with a fingerprint.
        images: Images `[n, h, w, c]` in [0, 1].
        cache_dir: Folder of the cache; made when missing.
        data: Name of the data set.
        split: Name of the split.

    Returns:
        float32 array `[n, d]`.
    """
    if extractor.fingerprint is None:
        checks.fail(
            "A cache needs an extractor with a fingerprint.",
            "fingerprint=None",
            "Give Extractor(function, fingerprint=...) a name that changes with the function.",
        )
    key = {
        "data": data,
        "split": split,
        "content": array_hash(images),
        "preprocessing": extractor.preprocessing,
        "weights": extractor.fingerprint,
    }
    text = json.dumps(key, sort_keys=True)
    path = Path(cache_dir) / f"{data}-{split}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    if path.exists():
        with np.load(path) as stored:
            if str(stored["key"]) == text:
                return stored["features"]
    features = extractor(images)
    _write(path, features=features, key=np.array(text))
    return features


def weights_hash(model):
    """sha256 of the structure and all weights of a Keras model."""
    digest = hashlib.sha256(json.dumps(model.get_config(), sort_keys=True, default=str).encode())
    for weight in model.weights:
        digest.update(array_hash(weight).encode())
    return digest.hexdigest()


def array_hash(array):
    """sha256 of an array's shape, type and content."""
    array = np.ascontiguousarray(array)
    digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def file_hash(path):
    """sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def _write(path, **arrays):
    """An npz file, complete or not there at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".npz")
    with os.fdopen(handle, "wb") as file:
        np.savez(file, **arrays)
    os.replace(name, path)
