"""Optimizers from the settings of a run."""

import keras

from tfmmd import checks, optimizers

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
    rate = learning_rate(settings, name, steps, final)
    return optimizer_named(settings.get("optimizer", "adam"), rate, **kwargs)


def optimizer_named(name, rate, **kwargs):
    """The Keras optimizer of that name, of "adam" the fast one."""
    if name == "adam":
        return optimizers.FusedAdam(rate, **kwargs)
    return keras.optimizers.get({"class_name": name, "config": {"learning_rate": rate, **kwargs}})
