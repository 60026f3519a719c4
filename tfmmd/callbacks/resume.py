"""Checkpoints that a run continues from, bit for bit."""

import signal
import threading
import warnings

from tfmmd import checks
from tfmmd.callbacks import checkpoint
from tfmmd.callbacks.steps import StepCounter
from tfmmd.callbacks.watch import DivergedError


def exit_code(number):
    """The exit code of a run that signal `number` stopped, as shells report it: 143 SIGTERM, 130 SIGINT."""
    return 128 + int(number)


STOPPED_EXIT_CODES = tuple(exit_code(number) for number in (signal.SIGTERM, signal.SIGINT))


class Resume(StepCounter):
    """Saves the whole training state at epoch ends and every `every` steps, and restores it.

    One file holds all weights, every optimizer, the step and the state of the callbacks in `stateful`
    (those with `state()` and `restore(state)`, such as `KIDLearningRate`). It is written beside the older
    ones and renamed; the last two are kept; a damaged or missing file is passed over for the older one with
    a warning. Weights that are not finite are never saved.

    A run continues bit for bit when its data order and noise are functions of (seed, step), as those of
    `tfmmd.data.batches` and of every system here are. SIGTERM and SIGINT end the current step, save and stop;
    `interrupted` then holds the signal's number.

    Put it last in the list of callbacks: what it saves of those in `stateful` is what they are by then.

    Args:
        directory: Folder of the checkpoints, of one run alone.
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
        self.saved_step, self.interrupted, self._restored = 0, None, False
        self._old_handlers = {}

    def restore(self, model):
        """Restores the newest whole checkpoint into a compiled model; returns its step, 0 without any.

        Raises:
            CheckpointError: If there are checkpoints, or were by the folder's record, and none can be used.
        """
        self._restored = True
        for optimizer in checkpoint.optimizers_of(model).values():
            if not optimizer.built:  # of a plain Keras model, which builds it in its first step
                optimizer.build(model.trainable_variables)
        found, errors = checkpoint.list_recorded(self.directory), []
        for step, path in reversed(found):
            try:
                meta = checkpoint.restore(path, model)
            except checkpoint.CheckpointError as error:
                errors.append(error)
                if step != found[0][0]:
                    warnings.warn(f"{error} Going back to the one before it.", stacklevel=2)
                continue
            self._take_over(path, meta)
            return self.step
        if errors:
            raise checkpoint.CheckpointError(
                f"One of {len(found)} checkpoints in {self.directory} must be usable. "
                f"Received: {errors[0]} Remove the folder to start again from step 0."
            )
        return 0

    def save(self, again=False):
        """Writes a checkpoint now, unless this step has one.

        Args:
            again: Whether to write also where this step has one.

        Raises:
            DivergedError: If a weight is not finite; the last good checkpoint stays.
            OSError: If the file cannot be written; the older checkpoints stay.
        """
        if not self.write or (self.step == self.saved_step and not again):
            return
        bad = checkpoint.not_finite(self.model)
        if bad:
            raise DivergedError(
                checks.message(
                    "Only finite weights are saved.",
                    f"{bad[0]} with NaN or inf at step {self.step}",
                    f"Lower the learning rate and go on from step {self.saved_step}.",
                )
            )
        extra = {str(index): callback.state() for index, callback in enumerate(self.stateful)}
        checkpoint.save(self.directory, self.model, self.step, extra)
        self.saved_step = self.step

    def on_train_begin(self, logs=None):
        self._check_folder()
        self.interrupted = None
        if self.handle_signals and threading.current_thread() is threading.main_thread():
            self.release_signals()
            for number in (signal.SIGTERM, signal.SIGINT):
                self._old_handlers[number] = signal.signal(number, self._stop)

    def on_train_batch_end(self, batch, logs=None):
        self.count(batch)
        due = self.every and self.step // self.every > self.saved_step // self.every
        if (self.interrupted or due) and batch + 1 != self.params.get("steps"):
            self.save()  # a last step is saved at the end of its epoch, with what other callbacks do there
        if self.interrupted:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        unforeseen = self.params.get("steps") is None and not self.interrupted
        self.save(again=unforeseen)  # the last step was not known to be the last, and is saved again

    def on_train_end(self, logs=None):
        self.release_signals()

    def _check_folder(self):
        """Refuses to train beside the checkpoints of another run, which the next restore would take for its own."""
        found = (
            []
            if self._restored or self.saved_step or not self.write
            else checkpoint.list_files(self.directory)
        )
        if found:
            checkpoint.fail(
                "Checkpoints of one run must have a folder of their own.",
                f"{self.directory}, with a checkpoint of step {found[-1][0]} that was not restored",
                "Call restore(model) first to go on with it, or use another folder.",
            )

    def release_signals(self):
        """Gives SIGTERM and SIGINT back to whom they belonged to before training."""
        for number, handler in self._old_handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._old_handlers = {}

    def _take_over(self, path, meta):
        extra = meta.get("extra", {})
        if len(extra) != len(self.stateful):
            checkpoint.fail(
                "A checkpoint must hold the state of every callback in `stateful`.",
                f"{path}, with {len(extra)} states for {len(self.stateful)} callbacks",
                "Give Resume the callbacks of the run that wrote it.",
            )
        for index, callback in enumerate(self.stateful):
            callback.restore(extra[str(index)])
        self.step = self.saved_step = meta["step"]

    def _stop(self, number, frame):
        if _is_fitting(self.model, frame):
            self.interrupted = number
            return
        self.release_signals()  # an error has ended training without `on_train_end`
        signal.raise_signal(number)


def _is_fitting(model, frame):
    """Whether a `fit` of this model is on the stack."""
    while frame:
        if frame.f_code.co_name == "fit" and frame.f_locals.get("self") is model:
            return True
        frame = frame.f_back
    return False
