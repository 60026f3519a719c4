"""The first steps of WAE: an encoder whose codes have the prior's mean and covariance."""

import keras
import tensorflow as tf

from tfmmd import checks, distribute, optimizers
from tfmmd.models.base import GenerativeModel
from tfmmd.models.generator import num_rows
from tfmmd.models.pretraining import shuffled_batches

CHECK_EVERY = 10  # updates between two looks at the loss


def match_moments(
    autoencoder,
    x,
    *,
    num_updates=200,
    batch_size=1000,
    tolerance=0.1,
    make_optimizer=None,
    seed=0,
    callbacks=(),
):
    """Trains the encoder alone until the first two moments of its codes are near the prior's.

    loss = mean((mean(codes) - mean(prior))**2) + mean((cov(codes) - cov(prior))**2), over batches of both

    Args:
        autoencoder: A `tfmmd.models.Autoencoder` of any kind; its decoder does not change.
        x: Data `[n, ...]`.
        num_updates: Updates at most.
        batch_size: Rows of data and of prior samples per update.
        tolerance: Loss at which training stops.
        make_optimizer: Function () -> Keras optimizer; None is Adam at 1e-3.
        seed: Seed of order and noise.
        callbacks: Keras callbacks.

    Returns:
        The mean loss of the last updates.

    Reference: [tolstikhin2018]
    """
    autoencoder.check_data(x)
    rounds = -(-checks.positive_int("num_updates", num_updates) // CHECK_EVERY)
    with autoencoder.distribute_strategy.scope():
        phase = MomentPhase(autoencoder, seed)
        phase.compile((make_optimizer or default_optimizer)())
    batches = shuffled_batches(x, batch_size, rounds * CHECK_EVERY, seed)
    stop = StopBelow(checks.non_negative("tolerance", tolerance))
    options = {"steps_per_epoch": CHECK_EVERY, "callbacks": [stop, *callbacks], "verbose": 0}
    return phase.fit(batches, epochs=rounds, **options).history["loss"][-1]


def default_optimizer():
    """Adam at 1e-3."""
    return optimizers.FusedAdam(1e-3)


class MomentPhase(GenerativeModel):
    """The encoder of an auto-encoder, trained on the moments of its codes."""

    def __init__(self, autoencoder, seed):
        super().__init__(seed=seed)
        self.autoencoder = autoencoder

    @property
    def trainable_variables(self):
        return self.autoencoder.encoder.trainable_variables

    def check_data(self, x):
        """The auto-encoder has checked the data."""

    def train_costs(self, x, step, training):
        codes = self.autoencoder.infer(x, step, training)[0]
        prior = self.autoencoder.draw_latent(num_rows(x), step, "moment_matching")
        return {"loss": moment_cost(distribute.gather(codes), distribute.gather(prior))}


class StopBelow(keras.callbacks.Callback):
    """Stops training once the loss is below a number."""

    def __init__(self, tolerance):
        super().__init__()
        self.tolerance = tolerance

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = logs["loss"] < self.tolerance


def moment_cost(x, y):
    """Mean squared differences of the means and of the covariances of two samples `[n, k]`."""
    (mean_x, cov_x), (mean_y, cov_y) = moments(x), moments(y)
    return tf.reduce_mean(tf.square(mean_x - mean_y)) + tf.reduce_mean(tf.square(cov_x - cov_y))


def moments(x):
    """Mean `[k]` and unbiased covariance `[k, k]` of a sample `[n, k]`."""
    mean = tf.reduce_mean(x, axis=0)
    centred = x - mean
    rows = tf.cast(num_rows(x), x.dtype)
    return mean, tf.matmul(centred, centred, transpose_a=True) / (rows - 1.0)
