"""The generative auto-encoder: EM over a latent law that is the mixture of the data's own codes."""

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute, priors, seeds
from tfmmd.models import code_tables, likelihoods, mixture_likelihood, mixture_weights, posteriors, signatures
from tfmmd.models.autoencoder import Autoencoder
from tfmmd.models.generator import flatten, num_rows
from tfmmd.registry import register

SCORE_DRAWS = 32  # codes per row of the served score
WARMUP_EPOCHS = 2  # a cold start on the whole mixture falls 15 to 20 nats behind


@register
class GAE(Autoencoder):
    """Generative auto-encoder: codes of the training rows are kernels of the latent law itself.

    P(z) = (1 / n) * sum_j N(z; mean(x_j), diag(variance(x_j))),   P(x) = integral of P(x|z) P(z)
    loss = -mean(log P(x)) + lambda1 * sum(mean**2) - lambda2 * sum(1 + log(variance) - variance)

    The slides print `+ lambda1 * sum(mean**2)` in the maximised objective; that would reward codes that run
    to infinity, and the KL divergence they take it from has the sign used here.

    `fit` stores the codes of its data in the model after every epoch (`store_codes`); they are saved,
    exported and drawn from by `sample`. With `objective="self"`, one draw and both factors 1/2 the loss is
    that of a VAE plus log n.

    Args:
        encoder: Built `keras.Model`, `[b, ...]` -> `[b, 2 * k]`: means, then log variances (or two outputs `[b, k]`).
        decoder: Built `keras.Model`, `[b, k]` -> `[b, ...]`: probabilities (sigmoid), logits with `logits=True`,
            or the Gaussian's mean.
        objective: How log P(x) is estimated in a batch. `"self"`: a row's own kernel alone, a lower bound.
            `"path"`: all kernels and all codes of the batch. `"aggregate"`: a row's own codes, weighted by
            all kernels of the batch.
        estimator: `"pathwise"` moves the codes with their kernels; `"score"` is the M-step of generalised
            EM, which needs `num_draws` of 20 or more and factors well below 1/2.
        num_draws: Codes per row, `S`. More give wider kernels at equal factors.
        leave_one_out: Leave a row's own kernel out of its mixture (`"aggregate"` only); `lambda2=0` is safe then.
        lambda1: Factor of the squared means, zero or more.
        lambda2: Factor of the width term, zero or more; 0 lets kernels shrink to points.
        num_components: Number of training rows `n`; None takes it from the first `fit` or `store_codes`.
        warmup_epochs: Epochs with the bound of `"self"` before the objective itself.
        likelihood: `"bernoulli"` for data in [0, 1] or `"gaussian"`.
        scale: Standard deviation of the Gaussian likelihood.
        learn_scale: Whether `scale` is trained.
        logits: Whether the decoder ends in logits.
        sigma_scale: Factor of the stored kernels' widths; above 1 helps test points, costs KDE.
        posterior: `"gaussian"` or a `posteriors.GaussianPosterior`; None clips log variances to [-12, 3].
        **kwargs: `seed`, `name`, `dtype`.

    Example:
        ```python
        encoder = tfmmd.networks.vae_encoder((8, 8, 1), 10, hidden=(64,))
        decoder = tfmmd.networks.vae_decoder(10, (8, 8, 1), hidden=(64,))
        model = tfmmd.models.GAE(encoder, decoder)
        model.compile(optimizer="adam")
        model.fit(images, batch_size=100, epochs=10)
        model.sample(16, seed=1)
        ```

    Reference: [kim2018]
    """

    config_names = (
        *("encoder", "decoder", "objective", "estimator", "num_draws", "leave_one_out", "lambda1", "lambda2"),
        *("num_components", "warmup_epochs", "likelihood", "scale", "learn_scale", "logits", "sigma_scale"),
        "posterior",
    )
    loss_names = ("loss", "likelihood_loss", "regularizer", "kernel_width")

    def __init__(
        self,
        encoder,
        decoder,
        *,
        objective="self",
        estimator="pathwise",
        num_draws=1,
        leave_one_out=False,
        lambda1=0.5,
        lambda2=0.5,
        num_components=None,
        warmup_epochs=WARMUP_EPOCHS,
        likelihood="bernoulli",
        scale=1.0,
        learn_scale=False,
        logits=False,
        sigma_scale=1.0,
        posterior=None,
        **kwargs,
    ):
        _refuse(kwargs)
        posterior = posteriors.resolve(posterior or posteriors.GaussianPosterior(low=-12.0, high=3.0))
        if not isinstance(posterior, posteriors.GaussianPosterior):
            checks.fail(
                "GAE needs a Gaussian posterior.", f"posterior={posterior!r}", "Leave `posterior` out."
            )
        cost = "cross_entropy" if likelihood == "bernoulli" else "squared"
        super().__init__(encoder, decoder, cost=cost, logits=logits, posterior=posterior, **kwargs)
        self.objective = checks.one_of("objective", objective, mixture_weights.OBJECTIVES)
        self.estimator = checks.one_of("estimator", estimator, mixture_weights.ESTIMATORS)
        self.num_draws = checks.positive_int("num_draws", num_draws)
        self.leave_one_out = bool(leave_one_out)
        self._check_objective()
        self.lambda1, self.lambda2 = _factor("lambda1", lambda1), _factor("lambda2", lambda2)
        self.warmup_epochs = checks.non_negative("warmup_epochs", warmup_epochs)
        self.likelihood, self.scale, self.learn_scale = likelihood, scale, bool(learn_scale)
        self.law = likelihoods.make(likelihood, logits=logits, scale=scale, learn_scale=learn_scale)
        self.log_scale = getattr(self.law, "log_scale", None)
        self.sigma_scale = checks.positive_number("sigma_scale", sigma_scale)
        rows = tf.TensorSpec([None, *self.sample_shape])
        self._moments_graph = tf.function(self._moments, input_signature=[rows], autograph=False)
        self.num_components, self.codes_are_stale = None, False
        if num_components is not None:
            self._make_codes(checks.positive_int("num_components", num_components))

    # -- training --------------------------------------------------------------------------------------------

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, **kwargs):
        """As `keras.Model.fit`; the codes of the training rows are stored after every epoch.

        Of an endless or shuffled `tf.data.Dataset` they cannot be: `num_components` is needed then, and a call
        of `store_codes` with the training rows afterwards.

        Raises:
            ValueError: If there are fewer rows than `batch_size`, or another number than `num_components`.
        """
        rows = self._rows_to_store(x, batch_size, kwargs.get("validation_split", 0.0))
        if rows is None:
            self.codes_are_stale = True
        else:
            callbacks = [code_tables.KeepCodes(rows), callbacks or []]
            if not self.has_codes:
                self.store_codes(rows, warn=False)
        return super().fit(x, y, batch_size, epochs, verbose, callbacks, **kwargs)

    def train_costs(self, x, step, training):
        outputs = self.encoder_outputs(x, training=training)
        means, log_variances = self.posterior.moments(outputs)
        value = distribute.mean(self.regularizer(means, log_variances))
        likelihood = self.log_likelihood_of_batch(x, means, log_variances, step, training)
        return {
            "loss": -likelihood - value,
            "likelihood_loss": -likelihood,
            "regularizer": -value,
            "kernel_width": distribute.mean(tf.reduce_mean(tf.exp(0.5 * log_variances), axis=1)),
        }

    def regularizer(self, means, log_variances):
        """-lambda1 * sum(mean**2) + lambda2 * sum(1 + log(variance) - variance), `[b]`, to be maximised."""
        widths = 1.0 + log_variances - tf.exp(log_variances)
        return tf.reduce_sum(-self.lambda1 * tf.square(means) + self.lambda2 * widths, axis=1)

    def log_likelihood_of_batch(self, x, means, log_variances, step, training):
        """The mean of log P(x) over the global batch, as the objective estimates it from one step's codes."""
        self._check_batch(x)
        batch = self._draw(x, means, log_variances, step, training)
        if self.objective == "self":
            return distribute.mean(self._bound("self", batch))
        batch = batch.gather()
        if not (training and self.warmup_epochs):
            return tf.reduce_mean(self._bound(self.objective, batch))
        seen = tf.cast(step, tf.float32) * tf.cast(tf.shape(batch.x)[0], tf.float32)
        warm = seen < self.warmup_epochs * self.num_components
        bounds = tf.cond(warm, lambda: self._bound("self", batch), lambda: self._bound(self.objective, batch))
        return tf.reduce_mean(bounds)

    def _draw(self, x, means, log_variances, step, training):
        """Codes of a step, decoded in one pass: `mixture_weights.Batch` of this replica's rows."""
        rows, size = num_rows(x), self.latent_size
        noise = self.draw_noise(rows, [self.num_draws, size], step, "posterior")
        codes = means[:, None] + tf.exp(0.5 * log_variances)[:, None] * noise
        if self.estimator == "score":
            codes = tf.stop_gradient(codes)
        x = tf.cast(flatten(x), tf.float32)
        outputs = self.decoder(tf.reshape(codes, [-1, size]), training=training)
        outputs = tf.reshape(outputs, [-1, self.num_draws, x.shape[1]])
        return mixture_weights.Batch(x, means, log_variances, codes, outputs)

    def _bound(self, objective, batch):
        """Per-row estimates of log P(x) `[b]` with the gradient of the estimator."""
        options = {"leave_one_out": self.leave_one_out} if objective == "aggregate" else {}
        terms = mixture_weights.OBJECTIVES[objective](batch, self.law, self.num_components, **options)
        return mixture_weights.ESTIMATORS[self.estimator](*terms)

    # -- the stored mixture ----------------------------------------------------------------------------------

    def store_codes(self, x, *, batch_size=1000, warn=True):
        """Encodes the training rows and keeps their kernels: the latent law of `sample` and the likelihoods.

        Args:
            x: The training rows, an array `[n, ...]` or a finite `tf.data.Dataset` in a fixed order.
            batch_size: Rows of one pass of the encoder.
            warn: Whether to warn of kernels that shrank to points or codes that carry nothing.

        Raises:
            ValueError: If `n` is not `num_components`, or the dataset has no end or no fixed order.
        """
        if not isinstance(x, tf.data.Dataset):
            self._check_rows(x)
        blocks = code_tables.blocks(x, batch_size, self.sample_shape)
        parts = [self._moments_graph(tf.cast(block, tf.float32)) for block in blocks]
        means, scales = (np.concatenate(part) for part in zip(*parts))
        if self.num_components is None:
            self._make_codes(len(means))
        code_tables.check_count(len(means), self.num_components)
        if warn:
            code_tables.warn_if_collapsed(means, scales)
        self.code_means.assign(means)
        self.code_scales.assign(self.sigma_scale * scales)
        self.codes_are_stale = False

    @property
    def has_codes(self):
        """Whether codes are stored."""
        return self.num_components is not None and bool(np.isfinite(code_tables.first_entry(self.code_means)))

    @property
    def mixture(self):
        """The stored latent law, a `priors.DataMixture` that follows `store_codes`.

        Raises:
            ValueError: If no codes are stored yet.
        """
        self.check_codes()
        return self.prior

    def check_codes(self):
        """Refuses a model without stored codes, warns of codes older than the encoder."""
        if not self.has_codes:
            checks.fail(
                "GAE draws from the codes of its training rows.",
                "no stored codes",
                "Call fit(x) or store_codes(x).",
            )
        code_tables.warn_if_stale(self)

    def _make_codes(self, num_components):
        """Makes the variables of the mixture; NaN until codes are stored, so that nothing draws from them."""
        self.num_components = num_components
        start = np.full([num_components, self.latent_size], np.nan, np.float32)
        with self.distribute_strategy.scope():
            self.code_means = keras.Variable(start, trainable=False, name="code_means")
            self.code_scales = keras.Variable(start, trainable=False, name="code_scales")
        self.prior = priors.DataMixture(self.code_means, self.code_scales)

    def _moments(self, x):
        means, log_variances = self.posterior.moments(self.encoder_outputs(x))
        return means, tf.exp(0.5 * log_variances)

    # -- sampling and likelihood -----------------------------------------------------------------------------

    def sample(self, num_samples=None, seed=None, *, seeds=None):
        self.check_codes()
        return super().sample(num_samples, seed, seeds=seeds)

    def sample_stratified(self, num_samples, seed=0):
        """Samples `[n, ...]` from components drawn without replacement: lower variance than `sample`.

        A function of the whole block: row i depends on `num_samples` and `seed`.
        """
        num_samples = checks.positive_int("num_samples", num_samples)
        codes = self.mixture.draw_stratified(
            num_samples, seeds.pair(checks.int64("seed", seed), 0, "stratified")
        )
        return tf.concat([self.decode(codes[i : i + 1024]) for i in range(0, num_samples, 1024)], axis=0)

    def likelihood_distribution(self, latent):
        """The TFP distribution P(x|z) of codes `[b, k]`: draw from it for binary samples."""
        return self.law.distribution(self.decoder(latent, training=False))

    def log_likelihood(self, x, num_draws=SCORE_DRAWS, *, proposal="posterior"):
        """Importance-sampled log P(x) under the stored mixture, low in expectation, tighter with more draws.

        bound = logsumexp_s(log P(x|z_s) + log P(z_s) - log r(z_s)) - log S,   z_s ~ r

        Args:
            x: Data `[b, ...]`; binary for a Bernoulli likelihood, else this is no density.
            num_draws: Number of codes per row, `S`.
            proposal: `"posterior"`: r = P(z|x). `"defensive"`: half of the draws from the 20 stored kernels that
                explain the row best, for use where the effective sample size of the first is small.

        Returns:
            float32 tensor `[b]`, in nats.
        """
        self.check_codes()
        self.check_data(x)
        weights = mixture_likelihood.log_weights_by_blocks(self, self.law, x, num_draws, proposal=proposal)
        return mixture_likelihood.log_mean(weights)

    def score_rows(self, x):
        """`log_likelihood` of rows `[b, ...]` at the served number of draws; the body of the endpoint."""
        weights = mixture_likelihood.log_weights(self, self.law, x, SCORE_DRAWS)
        return mixture_likelihood.log_mean(weights)

    def endpoints(self):
        score = (
            lambda x: {"score": signatures.per_row(self.score_rows, x)},
            [signatures.spec("x", self.sample_shape)],
        )
        return {**super().endpoints(), "score": score}

    def export(self, filepath, **kwargs):
        self.check_codes()
        return super().export(filepath, **kwargs)

    # -- checks ----------------------------------------------------------------------------------------------

    def _check_objective(self):
        if self.leave_one_out and self.objective != "aggregate":
            checks.fail(
                "`leave_one_out` weighs a row's own codes by the other kernels.",
                f"leave_one_out=True, objective={self.objective!r}",
                "Use objective='aggregate'.",
            )
        if self.objective == "self" and self.estimator == "score" and self.num_draws == 1:
            checks.fail(
                "The score estimator of one draw has no gradient for the encoder.",
                "objective='self', estimator='score', num_draws=1",
                "Use 20 draws or more, or estimator='pathwise'.",
            )

    def _check_batch(self, x):
        """Checks a batch while tracing, where its size is known."""
        if self.num_components is None:
            checks.fail(
                "GAE must know its number of training rows.",
                "num_components=None",
                "Hand in `num_components` or call fit.",
            )
        code_tables.check_batch(x.shape[0], self.num_components, self.leave_one_out)

    def _check_rows(self, x):
        checks.not_empty("x", x)
        checks.finite("x", x)
        self.check_data(x)

    def _rows_to_store(self, x, batch_size, validation_split):
        """What `fit` stores the codes of: an array or a dataset in a fixed order; None of other sources."""
        if isinstance(x, tf.data.Dataset):
            if self.num_components is not None and not code_tables.is_fixed(x):
                return None
            code_tables.check_fixed(x)
            return x
        if not hasattr(x, "shape"):
            return None
        self._check_rows(x)
        rows = x[: int(len(x) * (1.0 - validation_split))] if validation_split else x
        code_tables.check_sizes(len(rows), batch_size, self.num_components, self.leave_one_out)
        return rows


def _refuse(kwargs):
    """Refuses settings of `Autoencoder` that a GAE would leave unused."""
    for name in ("prior", "cost", "reconstruction_weight"):
        if name in kwargs:
            checks.fail(
                f"GAE takes no `{name}`: its prior is the mixture of its codes, its cost -log P(x).",
                f"{name}={kwargs[name]!r}",
                "Leave it out; see `likelihood`, `lambda1` and `lambda2`.",
            )


def _factor(name, value):
    """A factor of the regulariser: the sign is the model's, so it is zero or more."""
    if not (np.isfinite(value) and value >= 0):
        checks.fail(
            f"`{name}` must be zero or more: the model subtracts the penalty, whatever sign the slides print.",
            f"{name}={value!r}",
            f"Use {name}={abs(value) if np.isfinite(value) else 0.5!r}.",
        )
    return float(value)
