"""Data sets as `tf.data.Dataset`s or arrays, and batches whose order is a function of (seed, step).

`load` gives one example at a time, `arrays` all of them in memory, `batches` the training stream.
"""

from tfmmd.data.labels import balanced_labels
from tfmmd.data.load import arrays, load

__all__ = ["arrays", "balanced_labels", "load"]
