"""What every system shares: sampling by seed, the training tape, trackers, saving and export."""

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute, registry, seeds
from tfmmd.models import data_checks, signatures

SAMPLE_BATCH = 1024
RATES = "Give those a schedule of keras.optimizers.schedules, or set their `learning_rate` yourself."
ONE_OPTIMIZER = {  # Keras callbacks that look at `model.optimizer` -> what to do where the players have their own
    keras.callbacks.LearningRateScheduler: RATES,
    keras.callbacks.ReduceLROnPlateau: RATES,
    keras.callbacks.SwapEMAWeights: "Leave it out: at the end of fit the weights are the averages of `use_ema`.",
}


class GenerativeModel(keras.Model):
    """Base of all systems.

    A subclass hands its built networks to itself in its constructor, lists its constructor's arguments in
    `config_names`, what `compile` takes in `compile_names` and what its steps report in `loss_names`, and
    implements `train_costs` (one player) or `train_step` (several), `decode` and `latent_rows`.

    Args:
        seed: Seed of the training noise, int64. Initial weights are the networks' own.
    """

    config_names: tuple[str, ...] = ()
    compile_names: tuple[str, ...] = ("optimizer",)
    loss_names: tuple[str, ...] = ("loss",)

    def __init__(self, *, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed = checks.int64("seed", seed)
        self.trackers = [keras.metrics.Mean(name) for name in self.loss_names]
        self._sample_graph = tf.function(
            self.sample_rows, input_signature=[tf.TensorSpec([None], tf.int64)], autograph=False
        )
        self.built = True  # the networks are built by whoever made them

    @property
    def metrics(self):
        return self.trackers

    # -- training ----------------------------------------------------------------------------------------

    def compile(self, optimizer="adam", **kwargs):
        """Configures training of a one-player system.

        Args:
            optimizer: A Keras optimizer or its name.
            **kwargs: As in `keras.Model.compile`, without losses: a system brings its own.
        """
        self._check_options(kwargs)
        super().compile(optimizer=optimizer, **kwargs)
        self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, *args, **kwargs):
        """As `keras.Model.fit`, without weights; shapes, and arrays for emptiness, NaN and inf, are checked first."""
        data_checks.check_feedable(x)
        data_checks.check_unweighted(kwargs)
        self._check_callbacks(callbacks)
        held_out = kwargs.get("validation_data")
        self._check_source(
            "validation_data", held_out[0] if isinstance(held_out, (tuple, list)) else held_out
        )
        if self._check_source("x", x):
            self.check_data(x)
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # a dataset has its own order
        if self.compiled and self.optimizer is None:
            callbacks = [TakeAverages(), callbacks or []]
        return super().fit(x, y, batch_size, epochs, verbose, callbacks, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        """As `keras.Model.evaluate`, without weights; checked as in `fit`."""
        data_checks.check_feedable(x)
        data_checks.check_unweighted(kwargs)
        self._check_source("x", x)
        return super().evaluate(x, *args, **kwargs)

    def train_step(self, data):
        costs = self.descend(
            self.optimizer,
            self.trainable_variables,
            lambda: self.train_costs(self.unpack(data), batches_seen(self.optimizer), training=True),
        )
        return self.track(costs)

    def test_step(self, data):
        x = self.unpack(data)
        return self.track(self.test_costs(x, self.rows_tested()), distribute.global_rows(x))

    def test_costs(self, x, step):
        """The costs that `evaluate` reports of a batch `[b, ...]`; `step` numbers the noise."""
        return self.train_costs(x, step, training=False)

    def rows_tested(self):
        """int64 scalar: rows in the trackers since their reset; it numbers the noise of `evaluate`'s batches."""
        return tf.cast(tf.convert_to_tensor(self.trackers[0].count), tf.int64)

    def train_costs(self, x, step, training):
        """The costs of a batch `[b, ...]`: a dict of scalars, the first is minimised, the rest reported.

        Costs are those of the global batch (`tfmmd.distribute`). `step` numbers the noise.
        """
        raise NotImplementedError

    def descend(self, optimizer, variables, costs_fn):
        """One optimizer step on the first of the costs that `costs_fn()` returns; returns all of them."""
        with tf.GradientTape() as tape:
            costs = costs_fn()
            cost = optimizer.scale_loss(distribute.share(next(iter(costs.values()))))
        gradients = tape.gradient(cost, [v.value for v in variables])
        gradients = self.process_gradients(optimizer, gradients)
        optimizer.apply(distribute.clip_as(optimizer, gradients), variables)
        return costs

    def process_gradients(self, optimizer, gradients):
        """This replica's shares of the gradients, as they go to the optimizer; a hook for clipping."""
        return gradients

    def track(self, costs, rows=None):
        """Updates the trackers by name and returns their results for Keras's logs.

        Batches count alike in training; `rows` weights a batch by its size.
        """
        for tracker in self.trackers:
            if tracker.name in costs:
                tracker.update_state(costs[tracker.name], sample_weight=rows)
        return {tracker.name: distribute.reportable(tracker.result()) for tracker in self.trackers}

    def unpack(self, data):
        """The batch of samples `[b, ...]` out of what `fit` feeds: labels are left aside."""
        if isinstance(data, (tuple, list)) and len(data) > 2:
            data_checks.check_unweighted({"sample_weight": data[2]})
        x = data_checks.samples_in(data)
        self.check_data(x)
        # networks cast to half precision by themselves
        dtype = tf.float64 if self.compute_dtype == "float64" else tf.float32
        return tf.cast(x, dtype)

    def check_data(self, x):
        """Checks that a batch of data has the shape of the samples."""
        expected, received = self.sample_shape, checks.shape_of(x)[1:]
        fits = len(expected) == len(received) and all(
            None in (a, b) or a == b for a, b in zip(expected, received)
        )
        if not fits:
            checks.fail(
                f"Data must have the shape of the samples, [b, {', '.join(map(str, expected))}].",
                f"x.shape={checks.shape_of(x)}",
                "Reshape the data, or build the network with that output shape.",
            )

    def draw_latent(self, rows, step, role="latent"):
        """This replica's `rows` codes `[rows, k]` of the global draw (seed, step, role) from the prior."""
        pair = seeds.pair(self.seed, step, role)
        return distribute.own_rows(lambda n: self.prior.draw(n, pair), rows)

    # -- sampling ----------------------------------------------------------------------------------------

    @property
    def sample_shape(self):
        """Shape of one sample, a tuple without the batch axis."""
        raise NotImplementedError

    @property
    def call_shape(self):
        """Shape of one row that `call` takes: a code for generators; auto-encoders take samples."""
        return (self.latent_size,)

    @property
    def latent_size(self):
        """Size `k` of a code."""
        return self.prior.size

    def decode(self, latent):
        """Codes `[b, k]` -> samples `[b, ...]`, in inference mode."""
        raise NotImplementedError

    def latent_rows(self, row_seeds):
        """Codes `[n, k]` of sampling, row i from the int64 `row_seeds[i]` alone."""
        return self.prior.rows(row_seeds)

    def sample_rows(self, row_seeds):
        """Samples `[n, ...]`, row i from the int64 `row_seeds[i]` alone; the body of the serving endpoint."""
        return signatures.per_row(self.decode, self.latent_rows(row_seeds))

    def sample(self, num_samples=None, seed=None, *, seeds=None):
        """Draws samples.

        Args:
            num_samples: Number of samples, `n`. Left out when `seeds` are given.
            seed: Base seed: row i is a function of `seed + i` alone. None draws a fresh one.
            seeds: int64 `[n]`, one seed per row, instead of `num_samples` and `seed`.

        Returns:
            float32 tensor `[n, ...]`.

        Raises:
            ValueError: If the number or a seed is out of range, or both forms are mixed.
        """
        rows = _row_seeds(num_samples, seed, seeds)
        chunks = range(0, len(rows), SAMPLE_BATCH)
        return tf.concat([self._sample_graph(rows[i : i + SAMPLE_BATCH]) for i in chunks], axis=0)

    # -- saving and export ---------------------------------------------------------------------------------

    def get_config(self):
        settings = {name: registry.serialize(getattr(self, name)) for name in self.config_names}
        return {**super().get_config(), **settings, "seed": self.seed}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        settings = {name: registry.deserialize(config[name]) for name in cls.config_names if name in config}
        return cls(**{**config, **settings})

    def get_compile_config(self):
        if not self.compiled:
            return None
        return {name: registry.serialize(getattr(self, name)) for name in self.compile_names}

    def compile_from_config(self, config):
        self.compile(**{name: registry.deserialize(value) for name, value in config.items()})

    def endpoints(self):
        """Serving endpoints: name -> (function of tensors, list of `tf.TensorSpec`)."""
        return signatures.of_generator(self)

    def export(self, filepath, **kwargs):
        """Writes a SavedModel with one signature per endpoint, atomically.

        Args:
            filepath: Folder to write; it must not exist yet.
            **kwargs: As in `keras.Model.export`.

        Raises:
            FileExistsError: If `filepath` exists.
        """
        if kwargs.get("format", "tf_saved_model") != "tf_saved_model":
            return super().export(filepath, **kwargs)
        return signatures.write(self, filepath, verbose=kwargs.get("verbose", False))

    def _check_callbacks(self, callbacks):
        """Refuses Keras callbacks that look at `model.optimizer` where the players have their own."""
        names = [name for name in self.compile_names if "optimizer" in name]
        for callback in tf.nest.flatten(callbacks):
            mends = [mend for kind, mend in ONE_OPTIMIZER.items() if isinstance(callback, kind)]
            if mends and len(names) > 1:
                checks.fail(
                    f"`{type(callback).__name__}` looks at one optimizer; the players have {' and '.join(names)}.",
                    f"callbacks with a {type(callback).__name__}",
                    mends[0],
                )

    def _check_source(self, name, x):
        """Checks the shape, and of arrays the values, of what batches are taken from; whether it is an array."""
        is_array = data_checks.check_array(name, x)
        if is_array or isinstance(x, tf.data.Dataset):
            # of an array the shape alone: an evaluation may go beyond what a network can give
            self.check_data(
                tf.TensorSpec(checks.shape_of(x)) if is_array else data_checks.samples_in(x.element_spec)
            )
        return is_array

    def _check_options(self, kwargs):
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name):  # an empty list asks for nothing
                checks.fail(
                    f"{type(self).__name__} brings its own loss and reports its own numbers.",
                    f"{name}={kwargs[name]!r}",
                    f"Leave `{name}` out of compile(); tfmmd.callbacks.Evaluate measures samples.",
                )
        distribute.check_compile_options(kwargs.get("jit_compile"), kwargs.get("steps_per_execution"))


class TakeAverages(keras.callbacks.Callback):
    """Ends the training of players on the averages of `use_ema`, as Keras does where it knows the optimizer."""

    def on_train_end(self, logs=None):
        for name in self.model.compile_names:
            optimizer = getattr(self.model, name)
            if "optimizer" in name and distribute.read(batches_seen(optimizer)):
                optimizer.finalize_variable_values(optimizer._trainable_variables)


def batches_seen(optimizer):
    """Integer variable: batches that an optimizer was given; `iterations` counts several that it accumulates as one."""
    return distribute.unscaled(optimizer)._iterations


def _row_seeds(num_samples, seed, row_seeds):
    if row_seeds is None:
        if num_samples is None:
            checks.fail(
                "`sample` needs a number.", "num_samples=None, seeds=None", "Call sample(16, seed=1)."
            )
        return seeds.row_seeds(num_samples, seed)
    values = _whole_numbers(row_seeds)
    if seed is not None or num_samples not in (None, len(values)):
        checks.fail(
            "`seeds` stand alone.",
            f"num_samples={num_samples!r}, seed={seed!r} beside seeds",
            "Give seeds only.",
        )
    checks.not_empty("seeds", values)
    return tf.constant(values, tf.int64)


def _whole_numbers(row_seeds):
    """Seeds `[n]` of any kind as a list of ints."""
    array = row_seeds if isinstance(row_seeds, (list, tuple)) else np.asarray(row_seeds, object)
    if np.ndim(array) != 1:
        checks.fail("`seeds` must be int64 [n].", f"seeds={row_seeds!r}", "Give a list of whole numbers.")
    numbers = [s.item() if hasattr(s, "item") else s.numpy().item() if tf.is_tensor(s) else s for s in array]
    return [checks.int64("seeds", int(s) if isinstance(s, float) and s.is_integer() else s) for s in numbers]
