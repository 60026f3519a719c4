"""Checkpoints that a run continues from, bit for bit."""

import signal
import threading
import warnings

import keras

from tfmmd.callbacks import checkpoint

STOPPED_EXIT_CODE = 143  # as a shell reports SIGTERM


class Resume(keras.callbacks.Callback):
    """Saves the whole training state at epoch ends and every `every` steps, and restores it.

    One file holds all weights, every optimizer, the step and the state of the callbacks in `stateful`
    (those with `state()` and `restore(state)`, such as `KIDLearningRate`). It is written beside the older
    ones and renamed; the last two are kept; a damaged file is passed over for the older one with a warning.

    A run continues bit for bit when its data order and noise are functions of (seed, step), as those of
    `tfmmd.data.batches` and of every system here are. SIGTERM and SIGINT end the current step, save and stop;
    `interrupted` then holds the signal's number.

    Args:
        directory: Folder of the checkpoints.
        every: Steps between two saves; None saves at epoch ends only.
        stateful: Callbacks whose state is saved along.
        handle_signals: Whether SIGTERM and SIGINT are handled (main thread only).
        write: Whether this process writes; of several workers only the chief does, all restore.

    Example:
        ```python
        resume = tfmmd.callbacks.Resume("run/checkpoints", every=500)
        start = resume.restore(model)                     # 0 when there is nothing to continue
        batches = tfmmd.data.batches(x, 100, seed=1, start_step=start)
        model.fit(batches, steps_per_epoch=500, initial_epoch=start // 500, epochs=20, callbacks=[resume])
        ```
    """

    def __init__(self, directory, every=None, stateful=(), handle_signals=True, write=True):
        super().__init__()
        self.directory, self.every, self.stateful = directory, every, tuple(stateful)
        self.handle_signals, self.write = handle_signals, write
        self.step = self.saved_step = 0
        self.interrupted = None
        self._old_handlers = {}

    def restore(self, model):
        """Restores the newest whole checkpoint into a compiled model; returns its step, 0 without any.

        Raises:
            CheckpointError: If there are checkpoints and none can be used.
        """
        files = checkpoint.list_files(self.directory)
        for _, path in reversed(files):
            try:
                meta = checkpoint.restore(path, model)
            except checkpoint.CheckpointError as error:
                warnings.warn(f"{error} Going back to the one before it.", stacklevel=2)
                last_error = error
                continue
            self.step = self.saved_step = meta["step"]
            for index, callback in enumerate(self.stateful):
                callback.restore(meta["extra"][str(index)])
            return self.step
        if files:
            raise checkpoint.CheckpointError(
                f"One of {len(files)} checkpoints in {self.directory} must be readable. "
                f"Received: {last_error} Remove the folder to start again from step 0."
            )
        return 0

    def save(self):
        """Writes a checkpoint now, unless this step has one."""
        if self.write and self.step != self.saved_step:
            extra = {str(index): callback.state() for index, callback in enumerate(self.stateful)}
            checkpoint.save(self.directory, self.model, self.step, extra)
            self.saved_step = self.step

    def on_train_begin(self, logs=None):
        if self.handle_signals and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._old_handlers[number] = signal.signal(number, self._stop)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.interrupted or (self.every and self.step % self.every == 0):
            self.save()
        if self.interrupted:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        self.save()

    def on_train_end(self, logs=None):
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        self._old_handlers = {}

    def _stop(self, number, frame):
        self.interrupted = number
