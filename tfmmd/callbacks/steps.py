"""What callbacks that number the training steps share."""

import keras


class StepCounter(keras.callbacks.Callback):
    """Counts finished training steps, also where `steps_per_execution` takes several at a time.

    Attributes:
        step: Number of finished steps; set it where training does not begin at step 0.
    """

    def __init__(self):
        super().__init__()
        self.step, self._first = 0, None

    def on_train_batch_begin(self, batch, logs=None):
        self._first = batch

    def count(self, batch):
        """Adds the steps that ended with step `batch` of the epoch."""
        self.step += 1 if self._first is None else batch - self._first + 1
