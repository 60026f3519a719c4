"""The engine of all adversarial systems with a generator, and the original GAN."""

from typing import Any

import keras
import tensorflow as tf

from tfmmd import checks, distribute, kernels, objectives, seeds
from tfmmd.data import batches
from tfmmd.models import data_checks, players
from tfmmd.models.base import GenerativeModel, batches_seen
from tfmmd.models.generator import GeneratorModel, check_network, full_precision, num_rows
from tfmmd.penalties import Move
from tfmmd.registry import register

ROWS_PER_STEP = 64  # of each player, where `fit` is given arrays and no batch size


@register
class AdversarialModel(GeneratorModel):
    """A generator against a critic: the engine of GAN, WGANGP, CramerGAN and MMDGAN.

    One training step is `critic_steps` steps of the critic, then one of the generator, each on fresh data and
    noise: a batch of `fit` carries `(critic_steps + 1) * b` rows for steps of `b` rows, so that the usual 5
    critic steps of 64 rows take `batch_size=384`.

    Args:
        generator: Built `keras.Model`, `[b, k]` -> `[b, ...]`.
        critic: Built `keras.Model`, `[b, ...]` -> `[b, s]`.
        prior: A `tfmmd.priors.Prior` of size `k`.
        objective: A `tfmmd.objectives.Objective`.
        penalties: `tfmmd.penalties.Penalty` objects on the critic.
        generator_ema: Decay in [0, 1) of a moving average of the generator's weights, which `sample`,
            `predict`, `evaluate` and `export` then use; None keeps none.
        allow_batch_norm: Whether a critic with batch norm or minibatch discrimination is taken where a penalty
            needs independent rows.
        **kwargs: `seed`, `name`, `dtype`.
    """

    config_names: tuple[str, ...] = (
        "generator",
        "critic",
        "prior",
        "objective",
        "penalties",
        "generator_ema",
        "allow_batch_norm",
    )
    compile_names: tuple[str, ...] = (
        "generator_optimizer",
        "critic_optimizer",
        "critic_steps",
        "initial_critic_steps",
        "clip_norm",
    )
    loss_names: tuple[str, ...] = ("generator_loss", "critic_loss", "penalty")
    train_function: Any  # Keras's, or ours while the critic leads
    default_critic_steps = 5

    def __init__(
        self,
        generator,
        critic,
        prior,
        *,
        objective,
        penalties=(),
        generator_ema=None,
        allow_batch_norm=False,
        **kwargs,
    ):
        check_network("critic", critic)
        players.check_pair(generator, critic, objective)
        players.check_penalties(critic, penalties, allow_batch_norm)
        super().__init__(generator, prior, **kwargs)
        self.critic, self.objective, self.penalties = critic, objective, tuple(penalties)
        self.allow_batch_norm = bool(allow_batch_norm)
        self.generator_ema = players.check_decay(generator_ema)
        self.average = None if generator_ema is None else players.copy_of(generator)
        self.kernel_networks = (
            kernels.frozen_networks(objective.kernel) if hasattr(objective, "kernel") else []
        )
        if self.penalties and "penalty" not in self.loss_names:
            self.trackers.append(keras.metrics.Mean("penalty"))
        self._views = players.Views(critic, self.penalties)
        self._critic_alone = False

    # -- compile and fit -----------------------------------------------------------------------------------

    def compile(
        self,
        generator_optimizer="adam",
        critic_optimizer="adam",
        critic_steps=None,
        *,
        initial_critic_steps=0,
        clip_norm=None,
        **kwargs,
    ):
        """Configures training of two players.

        Args:
            generator_optimizer: A Keras optimizer or its name.
            critic_optimizer: Another one.
            critic_steps: Steps of the critic before each of the generator; None is 5, and 1 for `GAN`.
            initial_critic_steps: Steps that the critic takes alone at the start of training, rounded up to
                whole batches.
            clip_norm: Clips each variable's gradient, over the global batch, to this norm.
            **kwargs: As in `keras.Model.compile`, without optimizer and losses.

        Raises:
            ValueError: On a learning rate of zero, one optimizer for both, or an option that cannot run.
        """
        self._check_options(kwargs)
        steps = self.default_critic_steps if critic_steps is None else critic_steps
        self.critic_steps = checks.positive_int("critic_steps", steps)
        self.initial_critic_steps = int(checks.non_negative("initial_critic_steps", initial_critic_steps))
        self.clip_norm = None if clip_norm is None else checks.positive_number("clip_norm", clip_norm)
        self._critic_leads = self.initial_critic_steps > 0
        super(GenerativeModel, self).compile(optimizer=None, **kwargs)
        self.generator_optimizer, self.critic_optimizer = players.optimizers(
            generator_optimizer=(generator_optimizer, [self.generator]),
            critic_optimizer=(critic_optimizer, [self.critic]),
        )

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, *args, **kwargs):
        """As `keras.Model.fit`, with batches for both players.

        The order of an array is a function of (seed, step), so that a further call goes on where this one ended.

        Args:
            x: Samples `[n, ...]`, or a dataset of batches.
            y: Labels are left aside.
            batch_size: Rows of a batch of arrays: `(critic_steps + 1) * b`; None takes `b` = 64, or what
                the data allow. A last, smaller batch is left out.
            epochs: As in Keras.
            verbose: As in Keras.
            callbacks: As in Keras.
            *args: As in `keras.Model.fit`.
            **kwargs: As in `keras.Model.fit`.

        Raises:
            ValueError: If the rows of a batch cannot be divided among the steps.
        """
        self._assert_compile_called("fit")
        data_checks.check_feedable(x)
        replicas = self.distribute_strategy.num_replicas_in_sync
        if isinstance(x, tf.data.Dataset):
            rows = data_checks.samples_in(x.element_spec)
            self.check_data(rows)
            players.check_batch(checks.shape_of(rows)[0], self.critic_steps, replicas)
        elif data_checks.check_array("x", x):
            data_checks.check_no_split(kwargs)
            self.check_data(x)
            rows = players.batch_rows(len(x), batch_size, self.critic_steps, ROWS_PER_STEP, replicas)
            start = players.StartStep()
            callbacks = [callbacks or [], start]
            kwargs["steps_per_epoch"] = kwargs.get("steps_per_epoch") or len(x) // rows
            shuffle = kwargs.pop("shuffle", True)
            x = batches(x, rows, seed=self.seed, start_step=start.value, shuffle=shuffle)
            y, batch_size = None, None
        return super().fit(x, y, batch_size, epochs, verbose, callbacks, *args, **kwargs)

    def batches_taken(self):
        """int: batches of training so far, those that the critic had to itself included."""
        optimizers = self.generator_optimizer, self.critic_optimizer
        both, critic = (int(distribute.read(batches_seen(optimizer))) for optimizer in optimizers)
        return both + max(0, critic - self.critic_steps * both) // (self.critic_steps + 1)

    def make_train_function(self, force=False):
        """As in Keras; while the critic leads, steps are the critic's alone (`initial_critic_steps`)."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force=True)
        if self._critic_leads:
            both = self.train_function
            super().make_train_function(force=True)
            self.train_function = self._staged(both, alone=self.train_function)

    def _staged(self, both, alone):
        """A train function that is `alone` until the critic has had its initial steps, then `both`."""

        def function(iterator):
            # Decided outside of the graph: replicas cannot update variables inside of a tf.cond.
            if self._critic_leads:
                taken = int(distribute.read(self.critic_optimizer.iterations))
                self._critic_leads = taken < self.initial_critic_steps
            self._critic_alone = self._critic_leads  # read when a function is traced
            return (alone if self._critic_leads else both)(iterator)

        return function

    # -- the game ------------------------------------------------------------------------------------------

    def train_step(self, data):
        *critic_parts, last = players.split(data, self.critic_steps + 1)
        if self._critic_alone:
            critic_parts.append(last)
        for part in critic_parts:
            logs = self.critic_step(self.unpack(part))
        return logs if self._critic_alone else self.generator_step(self.unpack(last))

    def test_costs(self, x, step):
        fakes = self.fakes(num_rows(x), step, "latent", training=False)
        costs = self.generator_costs(x, fakes, training=False)
        return {**costs, **self.critic_costs(x, fakes, step, training=False)}

    def critic_step(self, real):
        """One step of the critic on real rows `[b, ...]`; returns the logs."""
        step = tf.identity(batches_seen(self.critic_optimizer))
        fakes = self.fakes(num_rows(real), step, "critic_latent", training=True)
        variables = self.critic.trainable_variables
        costs = self.descend(
            self.critic_optimizer, variables, lambda: self.critic_costs(real, fakes, step, training=True)
        )
        for penalty in self.penalties:
            penalty.after_step(variables)
        return self.track(costs)

    def generator_step(self, real):
        """One step of the generator on real rows `[b, ...]`; returns the logs."""
        step = tf.identity(batches_seen(self.generator_optimizer))

        def costs():
            fakes = self.fakes(num_rows(real), step, "latent", training=True)
            return self.generator_costs(real, fakes, training=True)

        costs = self.descend(self.generator_optimizer, self.generator.trainable_variables, costs)
        if self.average is not None:
            players.update_average(self.average, self.generator, self.generator_ema)
        return self.track(costs)

    def fakes(self, rows, step, role, training):
        """Fakes of a step: one batch `[rows, ...]` for each that the objective wants."""
        count = self.objective.fake_batches
        latent = self.draw_latent(rows * count, step, role)
        network = self.generator if training else self.sampler
        return players.deal(full_precision(network(latent, training=training)), count)

    def critic_costs(self, real, fakes, step, training):
        """The critic's costs on real and fake rows `[b, ...]`: `critic_loss` and the penalty in it."""
        views = [self._views(batch, training) for batch in (real, *fakes)]
        (real_outputs, of_real), (fake_outputs, of_fake) = views[:2]
        cost = self.objective.critic_cost(real_outputs, *(outputs for outputs, _ in views[1:]))
        if not self.penalties:
            return {"critic_loss": cost}
        move = Move(
            critic=lambda x: self._views.outputs(x, training),
            witness=self.objective.witness,
            real=real,
            fake=fakes[0],
            real_outputs=real_outputs,
            fake_outputs=fake_outputs,
            activations=[*of_real, *of_fake],
            noise=lambda rows: self._uniform(rows, step),
        )
        penalty = tf.add_n([penalty(move) for penalty in self.penalties])
        return {"critic_loss": cost + penalty, "penalty": penalty}

    def generator_costs(self, real, fakes, training):
        """The generator's costs on real and fake rows `[b, ...]`."""
        real_outputs, *fake_outputs = (self._views.outputs(batch, training) for batch in (real, *fakes))
        return {"generator_loss": self.objective.generator_cost(real_outputs, *fake_outputs)}

    def process_gradients(self, optimizer, gradients):
        if self.clip_norm is None:
            return gradients
        return distribute.clip_by_norm(gradients, optimizer.scale_loss(self.clip_norm))

    def _uniform(self, rows, step):
        pair = seeds.pair(self.seed, step, "interpolation")
        return distribute.own_rows(lambda n: seeds.uniform([n], pair), rows)

    # -- sampling ------------------------------------------------------------------------------------------

    @property
    def sampler(self):
        """The network that samples: the moving average of the generator where one is kept."""
        return self.generator if self.average is None else self.average

    def call(self, latent, training=False):
        return (self.generator if training else self.sampler)(latent, training=training)

    def decode(self, latent):
        latent = checks.batch("latent", latent, (self.latent_size,))
        return full_precision(self.sampler(latent, training=False))


@register
class GAN(AdversarialModel):
    """The original generative adversarial network, with the generator cost that does not saturate.

    Args:
        generator: Built `keras.Model`, `[b, k]` -> `[b, ...]`.
        critic: Built `keras.Model`, `[b, ...]` -> logits `[b, 1]`.
        prior: A `tfmmd.priors.Prior` of size `k`.
        real_target: The critic's target for real rows; below 1 is one-sided label smoothing.
        generator_ema: As in `AdversarialModel`.
        **kwargs: `penalties` and `allow_batch_norm` as in `AdversarialModel`, `seed`, `name`, `dtype`.

    Example:
        ```python
        generator = tfmmd.networks.dcgan_generator(100, (28, 28, 1))
        critic = tfmmd.networks.dcgan_critic((28, 28, 1), output_size=1, batch_norm=True)
        model = tfmmd.models.GAN(generator, critic, tfmmd.priors.Uniform(100))
        model.compile(generator_optimizer=keras.optimizers.Adam(2e-4, 0.5),
                      critic_optimizer=keras.optimizers.Adam(2e-4, 0.5), critic_steps=1)
        model.fit(images, batch_size=2 * 64, epochs=20)
        model.sample(16, seed=1)
        ```

    Reference: [goodfellow2014]
    """

    config_names = (
        *("generator", "critic", "prior", "real_target"),
        *("penalties", "generator_ema", "allow_batch_norm"),
    )
    loss_names = ("generator_loss", "critic_loss")
    default_critic_steps = 1

    def __init__(self, generator, critic, prior, *, real_target=1.0, generator_ema=None, **kwargs):
        objective = objectives.NonSaturating(real_target)
        super().__init__(generator, critic, prior, objective=objective, generator_ema=generator_ema, **kwargs)
        self.real_target = objective.real_target
