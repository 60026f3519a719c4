"""Networks of the papers: functions that return built Keras models, to be handed to a system."""

from tfmmd.networks.dense import gmmn_generator, mlp

__all__ = ["gmmn_generator", "mlp"]
