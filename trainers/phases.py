"""What a recipe trains before its run, resumable as the run itself."""

from pathlib import Path

from tfmmd.callbacks import Resume


class Interrupted(Exception):
    """A run that was stopped by a signal after its state was saved.

    Args:
        message: What to tell the user.
        signal: The signal's number.
    """

    def __init__(self, message, signal):
        super().__init__(message)
        self.signal = signal


class Phases:
    """Trains phase after phase, each with checkpoints of its own; finished ones are loaded.

    Args:
        directory: Folder of the folders of checkpoints.
        every: Steps between two checkpoints.
        write: As in `tfmmd.callbacks.Resume`.
    """

    def __init__(self, directory, every, write=True):
        self.directory, self.every, self.write = Path(directory), every, write

    def fit(self, name, phase, batches, steps, callbacks):
        """As `tfmmd.models.pretraining.fit_phase`, from the phase's last checkpoint on.

        Args:
            name, phase, batches, steps: As there.
            callbacks: Keras callbacks with `skip(steps)`, which is called with the steps that were done before.

        Returns:
            Mean loss of the steps that were left; None if there were none.

        Raises:
            Interrupted: If a signal stopped it; its state is saved.
        """
        resume = Resume(self.directory / name.replace(" ", "-"), self.every, write=self.write)
        start = resume.restore(phase)
        for callback in callbacks:
            callback.skip(start)
        if start == steps:
            return None
        history = phase.fit(
            batches.skip(start), steps_per_epoch=steps - start, callbacks=[*callbacks, resume], verbose=0
        )
        if resume.interrupted:
            raise Interrupted(
                f"Stopped at step {resume.step} of {steps} of {name!r}; --resume goes on from there.",
                resume.interrupted,
            )
        return history.history["loss"][-1]
