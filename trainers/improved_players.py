"""What the Improved GAN recipes share: the two networks by name, the prior, the optimizers, the first batch."""

from tfmmd import checks, networks, optimizers, priors, seeds

NETWORKS = ("mlp", "conv")
SCHEDULES = ("constant", "linear-tail")

MNIST = {"split": "train+validation"}  # all 60 000 rows, as in the paper
CONV = {  # train_cifar_feature_matching.py
    "split": "train+validation",  # all 50 000 rows; of SVHN all 73 257
    "network": "conv",
    "value_range": (-1.0, 1.0),
    "learning_rate": 3e-4,
    "schedule": "linear-tail",
    "tail": 1 / 3,
}


def prior_of(settings):
    """The noise of the released code: uniform on [0, 1)."""
    return priors.Uniform(settings.latent_size, 0.0, 1.0)


def players(settings, data, num_outputs, reference_size=0):
    """Generator and critic of `settings.network`.

    Args:
        settings: `Settings` with `network`, `latent_size`, `generator_hidden` and `critic_hidden` (mlp) or
            `generator_width` and `critic_width` (conv), and `minibatch_discrimination`.
        data: `RunData`.
        num_outputs: Logits of the critic.
        reference_size: Rows of the reference batch of virtual batch norm; 0 is batch norm.
    """
    shape, size = data.sample_shape, settings.latent_size
    reference = None
    if reference_size:
        reference = prior_of(settings).draw(reference_size, seeds.pair(data.seed, 0, "reference"))
    critic = {"minibatch_discrimination": settings.minibatch_discrimination, "seed": data.seed}
    if checks.one_of("network", settings.network, NETWORKS) == "mlp":
        return (
            networks.improved_gan_mnist_generator(
                size, shape, hidden=settings.generator_hidden, reference=reference
            ),
            networks.improved_gan_mnist_critic(shape, num_outputs, hidden=settings.critic_hidden, **critic),
        )
    return (
        networks.improved_gan_conv_generator(
            size, shape, width=settings.generator_width, reference=reference
        ),
        networks.improved_gan_conv_critic(shape, num_outputs, width=settings.critic_width, **critic),
    )


def make_optimizer(settings):
    """A new optimizer of the released code; call it in scope."""
    rate = settings.learning_rate
    if checks.one_of("schedule", settings.schedule, SCHEDULES) == "linear-tail":
        rate = optimizers.LinearTail(rate, settings.steps, settings.tail)
    return optimizers.RootAdam(rate, settings.beta_1, settings.beta_2)


def initialize(model, settings, data, phases):
    """Data-dependent initialisation from the first rows of the data."""
    model.initialize(data.train[: settings.initial_rows])


SETTINGS = {  # train_mnist_feature_matching.py
    "network": "mlp",
    "latent_size": 100,
    "generator_hidden": (500, 500),
    "critic_hidden": (1000, 500, 250, 250, 250),
    "generator_width": 128,  # of the conv pair, train_cifar_feature_matching.py
    "critic_width": 96,
    "minibatch_discrimination": False,
    "initial_rows": 500,
    "batch_size": 100,
    "learning_rate": 0.003,
    "schedule": "constant",
    "tail": 1 / 3,
    "beta_1": 0.5,
    "beta_2": 0.999,
    "report_every": 6_000,
    "checkpoint_every": 6_000,
}
