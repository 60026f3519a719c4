"""The auto-encoder engine: encoder, decoder, a reconstruction cost and a cost on the codes."""

import numpy as np
import tensorflow as tf

from tfmmd import checks, distribute, priors, seeds
from tfmmd.models import costs, data_checks, posteriors, signatures
from tfmmd.models.base import GenerativeModel
from tfmmd.models.generator import check_network, check_prior, num_rows
from tfmmd.registry import register


@register
class Autoencoder(GenerativeModel):
    """An auto-encoder, and the engine of all systems with an encoder.

    loss = reconstruction_weight * mean(cost(x, decode(z))) + latent_weight * latent_cost,   z ~ Q(z|x)

    This class has no latent cost; a system brings its own in `latent_cost`. Codes lie in the prior's support:
    `prior.constrain` is applied to the encoder's output (tanh for `Uniform`, projection for `Sphere`).

    Args:
        encoder: Built `keras.Model`, `[b, ...]` -> `[b, k]`, for a Gaussian posterior `[b, 2 * k]` (means,
            then log variances) or two outputs `[b, k]`. It ends in a linear layer.
        decoder: Built `keras.Model`, `[b, k]` -> `[b, ...]`. It ends in the data's range (sigmoid for data in
            [0, 1]), or in logits with `logits=True`.
        prior: A `tfmmd.priors.Prior` of size `k`, the law of codes in `sample`; None is `Normal(k)`.
        cost: `"cross_entropy"`, `"squared"`, `"absolute"`, `"root"`, or a function of `(x, y)` `[b, ...]`,
            data and reconstruction in the data's range, that returns one number per example, `[b]`.
        logits: Whether the decoder ends in logits: `decode` then applies the sigmoid.
        posterior: `"deterministic"`, `"noisy"`, `"gaussian"` or a `posteriors.Posterior`.
        reconstruction_weight: Factor of the reconstruction cost in the loss.
        **kwargs: `seed`, `name`, `dtype`.

    Example:
        ```python
        encoder = tfmmd.networks.mlp((8, 8, 1), (64,), 4)
        decoder = tfmmd.networks.mlp(4, (64,), (8, 8, 1), output_activation="sigmoid")
        model = tfmmd.models.Autoencoder(encoder, decoder)
        model.compile(optimizer="adam")
        model.fit(images, epochs=10)
        model.reconstruct(images[:8])
        ```
    """

    config_names: tuple[str, ...] = (
        "encoder",
        "decoder",
        "prior",
        "cost",
        "logits",
        "posterior",
        "reconstruction_weight",
    )
    latent_weight = 1.0

    def __init__(
        self,
        encoder,
        decoder,
        prior=None,
        *,
        cost="cross_entropy",
        logits=False,
        posterior="deterministic",
        reconstruction_weight=1.0,
        **kwargs,
    ):
        posterior = posteriors.resolve(posterior)
        size = check_pair(encoder, decoder, posterior)
        prior = priors.Normal(size) if prior is None else check_prior(prior)
        check_network("decoder", decoder, inputs=prior.size)
        super().__init__(**kwargs)
        self.encoder, self.decoder, self.prior, self.posterior = encoder, decoder, prior, posterior
        self.cost, self.logits = costs.check(cost), bool(logits)
        self.reconstruction_weight = checks.non_negative("reconstruction_weight", reconstruction_weight)

    @property
    def sample_shape(self):
        return tuple(self.decoder.output_shape[1:])

    @property
    def call_shape(self):
        return self.sample_shape

    # -- codes and reconstructions ---------------------------------------------------------------------------

    def call(self, x, training=False):
        return self.decode(self.encode(x))

    def encode(self, x):
        """Data `[b, ...]` -> codes `[b, k]`, the posterior's means, in inference mode."""
        x = checks.batch("x", x, self.sample_shape)
        return self.prior.constrain(self.posterior.mean(self.encoder_outputs(x)))

    def posterior_distribution(self, x):
        """The TFP distribution Q(z|x) of data `[b, ...]`, before `prior.constrain`."""
        return self.posterior.distribution(self.encoder_outputs(x))

    def decode(self, latent):
        latent = checks.batch("latent", latent, self.decoder.input_shape[1:])
        return self.activate(self.decoder(latent, training=False))

    def reconstruct(self, x):
        """Data `[b, ...]` -> reconstructions `[b, ...]`."""
        return self.decode(self.encode(x))

    def interpolate(self, start, end, num_steps=8):
        """Decoded points on the line between the codes of `start` and `end` (on the sphere: projected).

        Args:
            start: Data `[b, ...]`.
            end: Data `[b, ...]`.
            num_steps: Number of points `t`, both ends included.

        Returns:
            float32 tensor `[b, t, ...]`.
        """
        start, end = self.encode(start)[:, None], self.encode(end)[:, None]
        weights = tf.linspace(0.0, 1.0, checks.positive_int("num_steps", num_steps))[None, :, None]
        path = tf.reshape((1.0 - weights) * start + weights * end, [-1, self.latent_size])
        return tf.reshape(self.decode(self.on_support(path)), [-1, num_steps, *self.sample_shape])

    def blend(self, start, end, weight):
        """The decoded point at one share of the way between the codes of each pair.

        Args:
            start: Data `[b, ...]`.
            end: Data `[b, ...]`.
            weight: Shares of `end`, `[b]`.

        Returns:
            float32 tensor `[b, ...]`.
        """
        share = tf.cast(weight, tf.float32)[:, None]
        return self.decode(self.on_support((1.0 - share) * self.encode(start) + share * self.encode(end)))

    def on_support(self, codes):
        """Mixtures of codes `[b, k]` in the prior's support: the sphere is not convex, the others are."""
        return self.prior.constrain(codes) if isinstance(self.prior, priors.Sphere) else codes

    def endpoints(self):
        return signatures.of_autoencoder(self)

    def encoder_outputs(self, x, training=False):
        """The encoder's raw output; two outputs (means, log variances) are joined, `[b, 2 * k]`."""
        outputs = self.encoder(x, training=training)
        return tf.concat(outputs, axis=-1) if isinstance(outputs, (list, tuple)) else outputs

    def activate(self, outputs):
        """The decoder's raw output -> values in the data's range, float32."""
        outputs = tf.cast(outputs, tf.float32)
        return tf.sigmoid(outputs) if self.logits else outputs

    # -- training --------------------------------------------------------------------------------------------

    def train_costs(self, x, step, training):
        codes, outputs = self.infer(x, step, training)
        reconstruction = distribute.mean(self.reconstruction_cost(x, self.decoder(codes, training=training)))
        latent = self.latent_cost(codes, outputs, step, training)
        factor = self.current_latent_weight(step, training)
        return {
            "loss": self.reconstruction_weight * reconstruction + factor * latent,
            "reconstruction_loss": reconstruction,
            "latent_loss": latent,
        }

    def latent_cost(self, codes, outputs, step, training):
        """The cost on the codes `[b, k]` of a batch, over the global batch; `outputs` are the encoder's."""
        return tf.constant(0.0)

    def current_latent_weight(self, step, training):
        """The factor of the latent cost at a step."""
        return self.latent_weight

    def infer(self, x, step, training):
        """Codes `[b, k]` of a training pass, drawn from the posterior, and the encoder's raw outputs."""

        def noise(shape, role):
            return self.draw_noise(num_rows(x), shape, step, role)

        seen = self.posterior.perturb(x, noise) if training else x
        outputs = self.encoder_outputs(seen, training=training)
        return self.prior.constrain(self.posterior.draw(outputs, noise)), outputs

    def draw_noise(self, rows, shape, step, role):
        """This replica's rows `[rows, *shape]` of a standard normal draw for the global batch."""
        pair = seeds.pair(self.seed, step, role)
        return distribute.own_rows(lambda n: seeds.normal([n, *shape], pair), rows)

    def reconstruction_cost(self, x, outputs):
        """The cost `[b]` of data `[b, ...]` and the decoder's raw outputs."""
        x = tf.cast(x, tf.float32)
        if self.logits and self.cost == "cross_entropy":
            return costs.cross_entropy_of_logits(x, tf.cast(outputs, tf.float32))
        return costs.function(self.cost)(x, self.activate(outputs))

    def check_data(self, x):
        """Checks shape and, of arrays, that the decoder can give values such as theirs."""
        super().check_data(x)
        if isinstance(x, np.ndarray):
            data_checks.check_range("x", x, *self.data_range())

    def data_range(self):
        """The interval that data must lie in, or None, and the name of what asks for it."""
        if self.logits or self.cost in costs.UNIT_INTERVAL:
            return (0.0, 1.0), "the cross-entropy and of probabilities"
        return data_checks.interval(self.decoder), "the decoder's last activation"


def check_pair(encoder, decoder, posterior):
    """Checks that encoder and decoder fit each other; returns the code size `k`."""
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        check_network(name, network)
    if tuple(encoder.input_shape[1:]) != tuple(decoder.output_shape[1:]):
        checks.fail(
            "`decoder` must give back what `encoder` takes.",
            f"encoder.input_shape={encoder.input_shape}, decoder.output_shape={decoder.output_shape}",
            "Build both for the same data.",
        )
    shape = encoder.output_shape
    given = sum(s[-1] for s in shape) if isinstance(shape, list) else shape[-1]
    size = decoder.input_shape[-1]
    per_code = posterior.outputs_per_code
    if given != per_code * size:
        checks.fail(
            f"`encoder` must give {per_code} * {size} outputs: codes of {size} entries by the decoder, "
            f"{per_code} for each entry by {type(posterior).__name__}.",
            f"encoder.output_shape={shape}, decoder.input_shape={decoder.input_shape}",
            "Change the encoder's last layer, the decoder's input or `posterior`.",
        )
    return size
