"""Optimizers from the settings of a run."""

import keras

from tfmmd import checks

SCHEDULES = ("constant", "cosine")


def learning_rate(settings, name="learning_rate", steps=None, final=None):
    """The learning rate of setting `name`: a float, or a cosine decay over the run's steps.

    Args:
        settings: `Settings` with `name`, and optionally `schedule` and `final_rate` (a share of the rate).
        name: Which setting holds the rate.
        steps: Length of the decay in optimizer steps; None is `settings.steps`.
        final: Share of the rate at the end; None is `settings.final_rate`.
    """
    rate = checks.positive_number(name, settings[name])
    if checks.one_of("schedule", settings.get("schedule", "constant"), SCHEDULES) == "constant":
        return rate
    final = settings.get("final_rate", 0.01) if final is None else final
    return keras.optimizers.schedules.CosineDecay(rate, steps or settings.steps, alpha=final)


def make_optimizer(settings, name="learning_rate", steps=None, final=None, **kwargs):
    """The Keras optimizer `settings.optimizer` ("adam" where unset) with its learning rate; call it in scope."""
    config = {"learning_rate": learning_rate(settings, name, steps, final), **kwargs}
    return keras.optimizers.get({"class_name": settings.get("optimizer", "adam"), "config": config})
