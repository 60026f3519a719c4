"""What the recipes of the auto-encoder family share: networks by name, priors, the papers' rate schedules."""

import keras

from tfmmd import callbacks, checks, networks, priors
from trainers import schedules

NETWORKS = ("dense", "wae-small", "wae-conv")
SCHEDULES = (*schedules.SCHEDULES, "stepwise", "exponential")
PRIORS = {"normal": priors.Normal, "uniform": priors.Uniform, "sphere": priors.Sphere}
MEASURES = ("parzen", "fid", "kid", "reconstruction", "latent_mmd2")
MAPPED_ROWS = 2000  # codes drawn in the latent map
PROJECTED_ROWS = 1000  # codes in TensorBoard's Projector tab
ACTIVATIONS: dict[tuple, str] = {(0.0, 1.0): "sigmoid", (-1.0, 1.0): "tanh"}


def encoder_and_decoder(settings, data, outputs_per_code=1):
    """The networks of `settings.network` for codes of `settings.latent_size`.

    Args:
        settings: `Settings` with `network`, `latent_size`, and `hidden` (dense, wae-small) or
            `encoder_filters`, `decoder_filters` and `kernel_size` (wae-conv).
        data: `RunData`.
        outputs_per_code: 1, or 2 for a Gaussian posterior.
    """
    kind = checks.one_of("network", settings.network, NETWORKS)
    shape, size = data.sample_shape, settings.latent_size
    last = ACTIVATIONS.get(tuple(map(float, settings.value_range)))
    if kind == "dense":
        layers = {
            "hidden": settings.hidden,
            "activation": settings.get("activation", "relu"),
            "initializer": networks.small_normal if settings.get("small_initial_weights") else None,
        }
        return (
            networks.mlp(shape, output_shape=outputs_per_code * size, name="encoder", **layers),
            networks.mlp(size, output_shape=shape, output_activation=last, name="decoder", **layers),
        )
    if kind == "wae-small":
        return (
            networks.wae_encoder_small(shape, outputs_per_code * size, hidden=settings.hidden),
            networks.wae_decoder_small(size, shape, hidden=settings.hidden, output_activation=last),
        )
    return (
        networks.wae_encoder(
            shape, outputs_per_code * size, filters=settings.encoder_filters, kernel_size=settings.kernel_size
        ),
        networks.wae_decoder(
            size,
            shape,
            filters=settings.decoder_filters,
            kernel_size=settings.kernel_size,
            output_activation=last,
        ),
    )


def make_prior(settings):
    """The prior of `settings.prior` and `settings.latent_size`, a normal one of `settings.prior_scale`."""
    kind = PRIORS[checks.one_of("prior", settings.prior, PRIORS)]
    scale = {"scale": settings.prior_scale} if kind is priors.Normal else {}
    return kind(settings.latent_size, **scale)


def make_optimizer(settings, name="learning_rate", steps=None, final=None, **kwargs):
    """An optimizer as `schedules.make_optimizer` makes it, with two schedules of the papers beside its own.

    "stepwise": the rate is multiplied by `rate_factors[i]` from the share `rate_switches[i]` of the run on.
    "exponential": the rate falls smoothly to the share `final`, or `final_rate`, at the end.
    """
    steps = steps or settings.steps
    if checks.one_of("schedule", settings.schedule, SCHEDULES) == "stepwise":
        factors, values = settings.rate_factors, [settings[name]]
        for factor in factors:
            values.append(values[-1] * factor)
        boundaries = [int(share * steps) for share in settings.rate_switches]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)
    elif settings.schedule == "exponential":
        final = settings.final_rate if final is None else final
        rate = keras.optimizers.schedules.ExponentialDecay(settings[name], steps, final)
    else:
        return schedules.make_optimizer(settings, name, steps, final, **kwargs)
    return schedules.optimizer_named(settings.get("optimizer", "adam"), rate, **kwargs)


def pictures(settings, data):
    """Pictures of an auto-encoder on held-out images: a recipe's `callbacks`."""
    if len(data.sample_shape) != 3:
        return []
    x, labels = held_out(data)
    shared, pairs = {"value_range": settings.value_range}, min(8, len(x) // 2)
    first = min(32, len(x) - 2 * pairs)  # after the rows of the reconstructions, where there are so many
    start, end = x[first : first + pairs], x[first + pairs : first + 2 * pairs]
    return [
        callbacks.Reconstructions(x[:32], **shared),
        *([callbacks.Interpolations(start, end, **shared)] if pairs else []),
        callbacks.LatentMap(x[:MAPPED_ROWS], None if labels is None else labels[:MAPPED_ROWS]),
        callbacks.NearestNeighbours(data.train, **shared),
        callbacks.Projector(*projected(x, labels), **shared),
    ]


def projected(x, labels):
    """The rows and labels that the Projector tab shows."""
    return x[:PROJECTED_ROWS], None if labels is None else labels[:PROJECTED_ROWS]


def held_out(data):
    """Validation images with their labels, None for sets without labels."""
    try:
        return data.load("validation", with_labels=True)
    except ValueError:
        return data.validation, None
