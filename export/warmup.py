"""Warm-up records: requests that a server replays after it loads a version and before it serves it."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from export.errors import ServingError
from export.session import DEFAULT, dtype_of, not_finite, shape_of

PATH = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000  # TensorFlow Serving refuses more
FILL = 0.5


def write(version_dir, signatures, name, batch_sizes):
    """Writes one record per signature and batch size and returns their number.

    Args:
        version_dir: Folder of the SavedModel.
        signatures: `SignatureDef` by name.
        name: Name the model is served under.
        batch_sizes: Rows of the requests.
    """
    path = version_dir / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    requests = [
        request(name, key, signature, rows) for key, signature in signatures.items() for rows in batch_sizes
    ]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for message in requests:
            log = prediction_log_pb2.PredictLog(request=message)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
    return len(requests)


def request(name, key, signature, rows):
    """A `PredictRequest` of `rows` rows: seeds count up, floats are one constant (stored once)."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = name
    message.model_spec.signature_name = key
    for alias, info in signature.inputs.items():
        message.inputs[alias].CopyFrom(_tensor(info, rows))
    return message


def _tensor(info, rows):
    dtype, shape = tf.dtypes.as_dtype(info.dtype), shape_of(info) or (None,)
    shape = [rows, *(size or 1 for size in shape[1:])]
    if dtype.is_floating:
        return tf.make_tensor_proto(FILL, dtype=dtype, shape=shape)
    if dtype.is_integer:
        count = np.arange(rows, dtype=dtype.as_numpy_dtype)
        return tf.make_tensor_proto(np.broadcast_to(count.reshape([-1] + [1] * (len(shape) - 1)), shape))
    return tf.make_tensor_proto(np.zeros(shape, dtype_of(info)))


def read(version_dir):
    """The `PredictRequest`s of a version, an empty list where there is no file.

    Raises:
        ServingError: `FAILED_PRECONDITION`, if the file is damaged or holds other logs.
    """
    path = version_dir / PATH
    if not path.exists():
        return []
    try:
        records = [
            bytes(r) for r in tf.data.TFRecordDataset(str(path)).take(MAX_RECORDS + 1).as_numpy_iterator()
        ]
        logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    except Exception as error:  # a damaged file: DataLossError, DecodeError
        raise ServingError(
            "FAILED_PRECONDITION", f"{PATH} cannot be read: {type(error).__name__}."
        ) from error
    if path.stat().st_size and not logs:
        raise ServingError("FAILED_PRECONDITION", f"{PATH} cannot be read: it holds no whole record.")
    if len(logs) > MAX_RECORDS or not all(log.HasField("predict_log") for log in logs):
        raise ServingError("FAILED_PRECONDITION", f"{PATH} must hold at most {MAX_RECORDS} predict logs.")
    return [log.predict_log.request for log in logs]


def replay(model):
    """Runs a loaded model's warm-up records and returns their number.

    Raises:
        ServingError: If a record does not fit the model or an output is not finite.
    """
    requests = read(model.path)
    for message in requests:
        key = message.model_spec.signature_name or DEFAULT
        try:
            outputs = model.run(key, {alias: tf.make_ndarray(t) for alias, t in message.inputs.items()})
        except (ServingError, KeyError) as error:
            raise ServingError(
                "FAILED_PRECONDITION", f"Warm-up of signature {key!r} failed: {error}"
            ) from error
        bad = not_finite(outputs)
        if bad:
            raise ServingError(
                "FAILED_PRECONDITION", f"Warm-up of signature {key!r}: output {bad[0]!r} is not finite."
            )
    return len(requests)
