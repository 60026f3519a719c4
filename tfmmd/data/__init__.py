"""Data sets as `tf.data.Dataset`s or arrays, and batches whose order is a function of (seed, step).

`load` gives one example at a time, `arrays` all of them in memory, `batches` the training stream.
"""

from tfmmd.data.batches import batches, steps_per_epoch
from tfmmd.data.labels import balanced_labels
from tfmmd.data.load import arrays, kind, load
from tfmmd.data.semi_supervised import semi_supervised_batches

__all__ = [
    "arrays",
    "balanced_labels",
    "batches",
    "kind",
    "load",
    "semi_supervised_batches",
    "steps_per_epoch",
]
