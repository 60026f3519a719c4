"""A SavedModel in a TF1 session: the way TensorFlow Serving runs it."""

import threading
from pathlib import Path

import numpy as np
import tensorflow as tf

from export.errors import ServingError, first_line, of_tensorflow

DEFAULT = "serving_default"

# The TF1 loader is used on purpose; TensorFlow would warn of it once a process.
tf.get_logger().addFilter(lambda record: "loader_impl" not in record.getMessage())


class LoadedModel:
    """A SavedModel, its signatures and a session to run them in; safe to use from several threads.

    Args:
        path: Version folder.

    Raises:
        ServingError: `FAILED_PRECONDITION`, if the folder does not hold a model that loads.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        self._calls, self._lock = {}, threading.Lock()
        try:
            meta_graph = self._load()
        except Exception as error:  # a damaged file may raise anything
            self.close()
            raise ServingError(
                "FAILED_PRECONDITION",
                f"Version {self.path.name} does not load. {type(error).__name__}: {first_line(error)}",
            ) from error
        self.signatures = {
            name: signature
            for name, signature in sorted(meta_graph.signature_def.items())
            if not name.startswith("__")
        }

    def _load(self):
        with self._session.graph.as_default():
            return tf.compat.v1.saved_model.loader.load(self._session, ["serve"], str(self.path))

    def signature(self, name):
        """The `SignatureDef` of a name, `serving_default` for an empty one."""
        name = name or DEFAULT
        if name not in self.signatures:
            raise ServingError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    def run(self, signature, inputs, *, timeout=None):
        """Runs a signature.

        Args:
            signature: Its name.
            inputs: Arrays by input name.
            timeout: Seconds, or None.

        Returns:
            Arrays by output name.

        Raises:
            ServingError: With the code of the runtime's error.
        """
        names, call = self._call(signature or DEFAULT)
        options = tf.compat.v1.RunOptions(timeout_in_ms=max(1, int(1000 * timeout)) if timeout else 0)
        feeds = [inputs[name] for name in sorted(self.signature(signature).inputs)]
        try:
            return dict(zip(names, call(*feeds, options=options)))
        except tf.errors.OpError as error:
            raise of_tensorflow(error) from error
        except (ValueError, TypeError) as error:
            raise ServingError("INVALID_ARGUMENT", first_line(error)) from error

    def _call(self, name):
        with self._lock:
            if name not in self._calls:
                definition = self.signature(name)
                feeds = [definition.inputs[key].name for key in sorted(definition.inputs)]
                outputs = sorted(definition.outputs)
                fetches = [definition.outputs[key].name for key in outputs]
                call = self._session.make_callable(fetches, feed_list=feeds, accept_options=True)
                self._calls[name] = outputs, call
            return self._calls[name]

    def close(self):
        """Frees the session and its variables."""
        self._calls = {}
        self._session.close()
        self._session = None


def dtype_of(info):
    """The NumPy dtype of a `TensorInfo`."""
    return tf.dtypes.as_dtype(info.dtype).as_numpy_dtype


def shape_of(info):
    """The shape of a `TensorInfo`, a tuple with None for unknown sizes; None for an unknown rank."""
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(None if d.size < 0 else int(d.size) for d in info.tensor_shape.dim)


def not_finite(outputs):
    """The names of the outputs that hold NaN or inf."""
    floats = {k: v for k, v in outputs.items() if np.asarray(v).dtype.kind == "f"}
    return [name for name, value in sorted(floats.items()) if not np.isfinite(value).all()]
