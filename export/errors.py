"""Errors of serving: a gRPC status code by name and a message, the same over gRPC and REST."""

import grpc
import tensorflow as tf

HTTP_STATUS = {  # as TensorFlow Serving's REST interface maps them
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}


class ServingError(RuntimeError):
    """A request or a version that failed.

    Args:
        code: Name of a gRPC status code, such as `"NOT_FOUND"`.
        message: What happened, for the caller.
    """

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def http_status(self):
        """The HTTP status of the code."""
        return HTTP_STATUS.get(self.code, 500)

    @property
    def number(self):
        """The code as an integer."""
        return grpc.StatusCode[self.code].value[0]


def code_of_http(status):
    """The code that an HTTP status stands for; of two codes with one status the more common."""
    return next((code for code, number in HTTP_STATUS.items() if number == status), "UNKNOWN")


def of_tensorflow(error):
    """A `tf.errors.OpError` as a `ServingError` with the same code."""
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    return ServingError(names.get(error.error_code, "UNKNOWN"), first_line(error))


def first_line(error):
    """The message of an exception, one line."""
    lines = str(error.message if isinstance(error, tf.errors.OpError) else error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
