"""Semi-supervised classification by a GAN whose critic has one logit per class."""

import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute, layers, objectives
from tfmmd.data import semi_supervised_batches
from tfmmd.models import data_checks, players, signatures
from tfmmd.models.base import GenerativeModel, batches_seen
from tfmmd.models.classification import (
    accuracy,
    check_alone,
    check_element,
    check_labels,
    check_pair,
    checked_labels,
    checked_rows,
    features_of,
    initialize_players,
)
from tfmmd.models.generator import GeneratorModel, check_network, layers_in, num_rows
from tfmmd.registry import register

BATCH_SIZE = 100


@register
class SemiSupervisedGAN(GeneratorModel):
    """Improved GAN's classifier: the critic learns K classes from few labels and "real" from all images.

    critic_loss = labelled + unlabelled_weight * unlabelled, see `objectives.SemiSupervised`
    generator_loss = feature matching on the critic's layer `feature_layer`, see `objectives.FeatureMatching`

    `model(x)` and `predict` give class probabilities, `evaluate(x, y)` the accuracy, `sample` images. All but
    training use the critic's parameter average and the generator's running batch statistics. Call
    `initialize(x)` once before training a weight-normalised critic.

    Args:
        generator: Built `keras.Model`, `[b, k]` -> `[b, ...]`.
        critic: Built functional `keras.Model`, `[b, ...]` -> logits `[b, K]`.
        prior: A `tfmmd.priors.Prior` of size `k`.
        feature_layer: Name of the critic's layer that is matched; None lets the generator minimise
            `-mean(softplus(log Z(fake)))` instead, as with minibatch discrimination.
        norm: Of the matching, `"l2"` or `"l1"`.
        unlabelled_weight: Weight of the unlabelled terms.
        average_decay: Decay of the average of the critic's parameters, bias-corrected; None keeps none.
        **kwargs: `seed`, `name`, `dtype`.

    Example:
        ```python
        generator = tfmmd.networks.improved_gan_mnist_generator(100, (28, 28, 1))
        critic = tfmmd.networks.improved_gan_mnist_critic((28, 28, 1), num_outputs=10)
        model = tfmmd.models.SemiSupervisedGAN(generator, critic, tfmmd.priors.Uniform(100, 0.0, 1.0))
        model.compile(keras.optimizers.Adam(3e-4, 0.5), keras.optimizers.Adam(3e-4, 0.5))
        model.initialize(images[:500])
        model.fit(few_images, few_labels, unlabelled=images, epochs=20)
        model.evaluate(test_images, test_labels, return_dict=True)["accuracy"]
        ```

    Reference: [salimans2016]
    """

    config_names = (
        "generator",
        "critic",
        "prior",
        "feature_layer",
        "norm",
        "unlabelled_weight",
        "average_decay",
    )
    compile_names = ("generator_optimizer", "critic_optimizer", "critic_steps")
    loss_names = ("generator_loss", "critic_loss", "labelled_loss", "unlabelled_loss", "accuracy")

    def __init__(
        self,
        generator,
        critic,
        prior,
        *,
        feature_layer="features",
        norm="l2",
        unlabelled_weight=1.0,
        average_decay=0.9999,
        **kwargs,
    ):
        check_network("critic", critic)
        objective = objectives.SemiSupervised()
        players.check_pair(generator, critic, objective)
        matching = objectives.FeatureMatching(norm)
        super().__init__(generator, prior, **kwargs)
        self.critic, self.objective, self.matching = critic, objective, matching
        self.feature_layer, self.norm = feature_layer, norm
        self.unlabelled_weight = checks.non_negative("unlabelled_weight", unlabelled_weight)
        self.average_decay, self.average = average_decay, None
        if average_decay is not None:
            self.average = layers.ParameterAverage(average_decay)
            self.average.follow(critic.trainable_variables)
        self._features = None if feature_layer is None else features_of(critic, feature_layer)
        self._one_pass = not layers_in(critic, players.COUPLING)

    @property
    def num_classes(self):
        """Number of classes `K`."""
        return self.critic.output_shape[-1]

    # -- compile and fit -----------------------------------------------------------------------------------

    def compile(self, generator_optimizer="adam", critic_optimizer="adam", critic_steps=1, **kwargs):
        """Configures training of two players.

        Args:
            generator_optimizer: A Keras optimizer or its name.
            critic_optimizer: Another one.
            critic_steps: Steps of the critic before each of the generator, which share the rows of a batch.
            **kwargs: As in `keras.Model.compile`, without optimizer and losses.
        """
        self._check_options(kwargs)
        self.critic_steps = checks.positive_int("critic_steps", critic_steps)
        super(GenerativeModel, self).compile(optimizer=None, **kwargs)
        self.generator_optimizer, self.critic_optimizer = players.optimizers(
            generator_optimizer=(generator_optimizer, [self.generator]),
            critic_optimizer=(critic_optimizer, [self.critic]),
        )

    def initialize(self, x):
        """Data-dependent initialisation of critic and generator; call it once, before training.

        Args:
            x: Real rows `[b, ...]`, some hundred; the paper takes 500.
        """
        initialize_players(self, x)
        if self.average is not None:
            self.average.reset(self.critic.trainable_variables)

    def fit(
        self, x=None, y=None, batch_size=None, epochs=1, *, unlabelled=None, steps_per_epoch=None, **kwargs
    ):
        """As `keras.Model.fit`, on labelled and unlabelled data.

        An epoch of arrays is one pass over the unlabelled rows, in which the labelled ones come up again and
        again; every order is a function of (seed, step), so that a further call goes on where this one ended.

        Args:
            x: Labelled rows `[n, ...]`, or a dataset as `tfmmd.data.semi_supervised_batches` makes it:
                ((x, y), u) or ((x, y), u, v), u for the critic's step and v for the generator's.
            y: Labels 0..K-1, int `[n]`, at least one of each class. Those of a dataset are looked at batch by batch,
                so that a class without any goes unnoticed.
            batch_size: Labelled, unlabelled and generated rows of a step, each; None is 100 or all rows.
            epochs: As in Keras.
            unlabelled: Rows `[m, ...]`, which may hold the labelled ones too; None takes `x`.
            steps_per_epoch: As in Keras.
            **kwargs: As in `keras.Model.fit`.

        Raises:
            ValueError: If labels are missing, out of range, or a class has none.
            tf.errors.InvalidArgumentError: If a label of a dataset is out of range.
        """
        self._assert_compile_called("fit")
        if kwargs.get("validation_data") is not None:
            kwargs["validation_data"] = self._checked_held_out(kwargs["validation_data"])
        if isinstance(x, tf.data.Dataset):
            self._check_source("x", x)
            check_element(x.element_spec)
            check_alone(unlabelled)
            x = checked_labels(x, self.num_classes)
        else:
            data_checks.check_no_split(kwargs)
            unlabelled = x if unlabelled is None else unlabelled
            self._check_arrays(x, y, unlabelled)
            batch_size = BATCH_SIZE if batch_size is None else checks.positive_int("batch_size", batch_size)
            rows = min(batch_size, len(unlabelled))
            steps_per_epoch = steps_per_epoch or len(unlabelled) // rows
            start = players.StartStep()
            kwargs["callbacks"] = [kwargs.get("callbacks") or [], start]
            x, y = self._stream(x, y, unlabelled, rows, start.value), None
        return super().fit(x, y, epochs=epochs, steps_per_epoch=steps_per_epoch, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `keras.Model.evaluate`, on labelled rows or a dataset of (x, y).

        Raises:
            ValueError: If labels of an array are missing or out of range.
            tf.errors.InvalidArgumentError: If a label of a dataset is out of range.
        """
        data_checks.check_feedable(x)
        x, y = self._checked_rows("x", x, y)
        return super().evaluate(x, y, *args, **kwargs)

    def _checked_rows(self, name, x, y):
        self._check_source(name, x)
        return checked_rows(x, y, self.num_classes)

    def _checked_held_out(self, data):
        """`validation_data`, a dataset or (x, y), with its labels looked at."""
        if isinstance(data, (tuple, list)) and len(data) > 1:
            x, y, *weights = data
            return (*self._checked_rows("validation_data", x, y), *weights)
        return self._checked_rows("validation_data", data, None)[0]

    def batches_taken(self):
        """int: batches of training so far."""
        return int(distribute.read(batches_seen(self.generator_optimizer)))

    def _stream(self, x, y, unlabelled, rows, start_step):
        labelled = (np.asarray(x, np.float32), np.asarray(y))
        return semi_supervised_batches(
            labelled,
            np.asarray(unlabelled, np.float32),
            rows,
            seed=self.seed,
            num_unlabelled=2,
            start_step=start_step,
        )

    def _check_arrays(self, x, y, unlabelled):
        for name, rows in (("x", x), ("unlabelled", unlabelled)):
            if not hasattr(rows, "shape"):
                checks.fail(
                    f"`{name}` must be an array of images alone.",
                    f"{name} of {type(rows).__name__}",
                    "Leave labels out of it; of other sources make tfmmd.data.semi_supervised_batches.",
                )
            checks.not_empty(name, rows)
            checks.finite(name, rows)
            self.check_data(rows)
        check_labels(y, len(x), self.num_classes, every_class=True)

    # -- the game ------------------------------------------------------------------------------------------

    def train_step(self, data):
        (x, y), *streams = check_element(data)
        streams = [self.unpack(rows) for rows in streams]
        for part in players.split((self.unpack(x), y, streams[0]), self.critic_steps):
            self.critic_step(*part)
        return self.generator_step(streams[-1])

    def critic_step(self, x, y, unlabelled):
        """One step of the critic on labelled rows `[l, ...]`, labels `[l]` and unlabelled rows `[b, ...]`."""
        step = tf.identity(batches_seen(self.critic_optimizer))
        latent = self.draw_latent(num_rows(unlabelled), step, "critic_latent")
        fake = self.generator(latent, training=True)
        variables = self.critic.trainable_variables
        costs = self.descend(
            self.critic_optimizer, variables, lambda: self.critic_costs(x, y, unlabelled, fake)
        )
        if self.average is not None:
            self.average.update(variables)
        return self.track(costs)

    def critic_costs(self, x, y, unlabelled, fake):
        """The critic's costs on labelled, unlabelled and generated rows."""
        labelled, real, generated = self._logits_of([x, unlabelled, fake])
        of_labelled = self.objective.labelled_cost(labelled, y)
        of_unlabelled = self.objective.critic_cost(real, generated)
        return {
            "critic_loss": of_labelled + self.unlabelled_weight * of_unlabelled,
            "labelled_loss": of_labelled,
            "unlabelled_loss": of_unlabelled,
            "accuracy": accuracy(labelled, y),
        }

    def generator_step(self, real):
        """One step of the generator on real rows `[b, ...]`; returns the logs."""
        step = tf.identity(batches_seen(self.generator_optimizer))
        latent = self.draw_latent(num_rows(real), step, "latent")
        matched = None if self._features is None else self._features(real, training=True)
        costs = self.descend(
            self.generator_optimizer,
            self.generator.trainable_variables,
            lambda: {"generator_loss": self.generator_cost(matched, latent)},
        )
        return self.track(costs)

    def generator_cost(self, matched, latent):
        """The generator's cost `[]`: against the features `[b, f]` of real rows, or against the logits."""
        fake = self.generator(latent, training=True)
        if matched is None:
            return self.objective.generator_cost(None, self.critic(fake, training=True))
        return self.matching(matched, self._features(fake, training=True))

    def _logits_of(self, batches):
        """The critic's training logits `[b, K]` of each batch.

        Batches of equal size go through in one pass, row by row interleaved: a replica's rows then have the
        places, and so the noise, that they have on one device.
        """
        sizes = [batch.shape[0] for batch in batches]
        if not self._one_pass or None in sizes:
            return [tf.cast(self.critic(batch, training=True), tf.float32) for batch in batches]
        if len(set(sizes)) > 1:
            return self._logits_of(batches[:1]) + self._logits_of(batches[1:])
        joint = tf.stack([tf.cast(batch, tf.float32) for batch in batches], axis=1)
        joint = tf.reshape(joint, [-1, *batches[0].shape[1:]])
        logits = tf.cast(self.critic(joint, training=True), tf.float32)
        return tf.unstack(tf.reshape(logits, [-1, len(batches), self.num_classes]), axis=1)

    # -- classification ------------------------------------------------------------------------------------

    def logits(self, x):
        """The averaged critic's logits `[b, K]` of rows `[b, ...]`, float32, in inference mode."""
        if self.average is None:
            return tf.cast(self.critic(x, training=False), tf.float32)
        variables = self.critic.trainable_variables, self.critic.non_trainable_variables
        logits = self.critic.stateless_call(*map(self.average.values, variables), x, training=False)[0]
        return tf.cast(logits, tf.float32)

    @property
    def call_shape(self):
        return self.sample_shape

    def call(self, x, training=False):
        return tf.nn.softmax(self.logits(x))

    def test_step(self, data):
        x, y = check_pair(data)
        logits = self.logits(self.unpack(x))
        costs = {"accuracy": accuracy(logits, y), "labelled_loss": self.objective.labelled_cost(logits, y)}
        logs = self.track(costs, distribute.global_rows(logits))
        return {name: logs[name] for name in costs}

    def endpoints(self):
        data = [signatures.spec("x", self.sample_shape)]
        classify = (lambda x: {"probabilities": signatures.per_row(self, x)}, data)
        return {**super().endpoints(), "classify": classify}
