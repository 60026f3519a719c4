"""MMD between two activations as a part of any model's loss."""

import keras
import tensorflow as tf

from tfmmd import checks
from tfmmd.discrepancies import check_shard_rows, global_mmd2
from tfmmd.kernels import Gaussian, check_kernel, deserialize, frozen_networks, serialize
from tfmmd.registry import register


@register
class MMDRegularizer(keras.layers.Layer):
    """Adds weight * mmd2(x, y, kernel) of two activations to the loss and passes both on.

    For domain adaptation, for codes that shall follow a prior, for fair representations. The discrepancy is
    that of the global batch: under a strategy all replicas' rows are gathered, and the share that each
    replica's gradient takes is left to Keras, which divides added losses by the number of replicas. Training is
    that of one device; only the `loss` that Keras logs then counts this term more than once, because the
    replicas share the layer's list of losses.

    Args:
        kernel: A `tfmmd.kernels.Kernel`; None is a Gaussian of bandwidth 1.
        weight: Factor of zero or more.
        estimator: `"unbiased"` or `"biased"`, as in `tfmmd.discrepancies.mmd2`.
        shard_rows: As in `tfmmd.discrepancies.global_mmd2`: whether each replica computes its own rows only.

    Call with a pair of tensors `[b, ...]` and `[c, ...]`, whose trailing axes are flattened.

    Example:
        `source, target = MMDRegularizer(kernels.Gaussian((1.0, 2.0)), weight=0.1)([source, target])`

    Reference: [gretton2012]
    """

    def __init__(self, kernel=None, weight=1.0, estimator="unbiased", shard_rows=False, **kwargs):
        super().__init__(**kwargs)
        self.kernel = check_kernel(kernel or Gaussian())
        self.kernel_networks = frozen_networks(self.kernel)
        self.weight = checks.non_negative("weight", weight)
        self.estimator = checks.one_of("estimator", estimator, ("unbiased", "biased"))
        self.shard_rows = check_shard_rows(shard_rows, estimator)

    def build(self, input_shape):
        if len(input_shape) != 2 or not all(isinstance(shape, (list, tuple)) for shape in input_shape):
            checks.fail(
                "`MMDRegularizer` is called with a pair of tensors.",
                f"shapes {input_shape}",
                "Call it as layer([x, y]).",
            )
        super().build(input_shape)

    def call(self, inputs):
        x, y = (tf.reshape(t, [tf.shape(t)[0], -1]) for t in inputs)
        options = {"estimator": self.estimator, "shard_rows": self.shard_rows}
        self.add_loss(self.weight * global_mmd2(x, y, self.kernel, **options))
        return list(inputs)

    def compute_output_shape(self, input_shape):
        return list(input_shape)

    def get_config(self):
        own = {name: getattr(self, name) for name in ("weight", "estimator", "shard_rows")}
        own["kernel"] = serialize(self.kernel)
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "kernel": deserialize(config["kernel"])})
