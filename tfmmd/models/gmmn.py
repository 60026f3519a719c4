"""Generative moment matching networks."""

from tfmmd import discrepancies, kernels
from tfmmd.kernels.pairs import safe_root
from tfmmd.models.generator import GeneratorModel, flatten, num_rows
from tfmmd.registry import register

MNIST_VARIANCES = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0)  # yujiali/gmmn train.py, pixels in [0, 1]


@register
class GMMN(GeneratorModel):
    """Generative moment matching network: a generator that minimises the MMD to the data.

    loss = sqrt(mmd2(fake, real)), the biased estimator over the global batch, summed over the kernel's scales

    Args:
        generator: Built `keras.Model`, `[b, k]` -> `[b, ...]`.
        prior: A `tfmmd.priors.Prior` of size `k`.
        kernel: A `tfmmd.kernels.Kernel` on flattened samples; None is the Gaussian mixture of the paper for
            MNIST with pixels in [0, 1]. For other data see `kernels.median_bandwidth`.
        root: Whether the square root is taken (the paper's choice) or the squared MMD is minimised.
        shard_rows: Whether each replica computes only its own rows of the kernel matrix, see
            `discrepancies.global_mmd2`: the same numbers, for big batches on several devices.

    Example:
        ```python
        generator = tfmmd.networks.gmmn_generator(10, (8, 8, 1))
        model = tfmmd.models.GMMN(generator, tfmmd.priors.Uniform(10))
        model.compile(optimizer=keras.optimizers.Adam(1e-3))
        model.fit(images, batch_size=500, epochs=20)
        model.sample(16, seed=1)
        ```

    Reference: [li2015]
    """

    config_names = ("generator", "prior", "kernel", "root", "shard_rows")

    def __init__(self, generator, prior, kernel=None, *, root=True, shard_rows=False, **kwargs):
        super().__init__(generator, prior, **kwargs)
        self.kernel = kernels.check_kernel(kernel or kernels.Gaussian([v**0.5 for v in MNIST_VARIANCES]))
        self.kernel_networks = kernels.frozen_networks(self.kernel)
        self.root, self.shard_rows = root, bool(shard_rows)

    def train_costs(self, x, step, training):
        latent = self.draw_latent(num_rows(x), step)
        fake = self.generator(latent, training=training)
        return {"loss": self.discrepancy(fake, x)}

    def discrepancy(self, fake, real):
        """The loss between two local samples `[b, ...]`, over the global batch."""
        return moment_matching_loss(fake, real, self.kernel, self.root, self.shard_rows)


def moment_matching_loss(fake, real, kernel, root, shard_rows):
    """The biased squared MMD of the global batch, or its root as `discrepancies.mmd` takes it."""
    options = {"estimator": "biased", "shard_rows": shard_rows}
    squared = discrepancies.global_mmd2(flatten(fake), flatten(real), kernel, **options)
    return safe_root(squared, 1e-12) if root else squared
