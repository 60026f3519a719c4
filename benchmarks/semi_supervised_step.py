"""Steps of the semi-supervised GAN beside those with Keras's own parts: `python -m benchmarks.semi_supervised_step`.

Improved GAN's MNIST networks and the narrow ones of the quick preset, 100 labelled, unlabelled and generated rows a
step. Beside them: the same model and networks with `keras.layers.GaussianNoise` and `keras.optimizers.Adam`. Times are
milliseconds per training step of both players; lower is better.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from benchmarks import harness
from tfmmd import layers, models, networks, optimizers, priors
from trainers import systems

SHAPE, BATCH, CODE, CLASSES = (28, 28, 1), 100, 100, 10
NETWORKS = {
    f"{preset} networks": systems.recipe("semi-supervised").resolve("mnist", preset)
    for preset in ("paper", "quick")
}


def with_keras_noise(critic):
    """The critic with Keras's noise layers in place of the package's."""

    def twin(layer):
        if isinstance(layer, layers.GaussianNoise):
            return keras.layers.GaussianNoise(layer.stddev)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(critic, clone_function=twin)


def compiled(settings, ours):
    """A compiled model with the networks of a recipe's settings, of our parts or of Keras's."""
    keras.utils.set_random_seed(0)
    generator = networks.improved_gan_mnist_generator(CODE, SHAPE, hidden=settings.generator_hidden)
    critic = networks.improved_gan_mnist_critic(SHAPE, CLASSES, hidden=settings.critic_hidden)
    critic = critic if ours else with_keras_noise(critic)
    model = models.SemiSupervisedGAN(generator, critic, priors.Uniform(CODE, 0.0, 1.0))
    optimizer = optimizers.RootAdam if ours else keras.optimizers.Adam
    model.compile(optimizer(3e-3, beta_1=0.5), optimizer(3e-3, beta_1=0.5))
    return model


def steps(model, number):
    """A function that times `number` steps of `fit`, per step."""
    rng = np.random.default_rng(0)
    x, y = rng.random((number * BATCH, *SHAPE), np.float32), np.arange(BATCH) % CLASSES
    options = {"unlabelled": x, "batch_size": BATCH, "verbose": 0}
    return harness.timed(lambda: model.fit(x[:BATCH], y, **options), number)


def measure(rounds, number):
    """Times of all variants, which took turns."""
    variants = {}
    for name, settings in NETWORKS.items():
        variants[name] = steps(compiled(settings, ours=True), number)
        variants[f"{name}, Keras's parts"] = steps(compiled(settings, ours=False), number)
    return harness.interleaved(variants, rounds)


def main():
    """Measures, prints and writes `docs/results/semi_supervised_step.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=50, help="steps of a turn")
    options = parser.parse_args()
    times = measure(options.rounds, options.steps)
    medians = harness.medians(times)
    record = harness.step_record(options.rounds) | {"times": medians}
    for name in NETWORKS:
        peer = f"{name}, Keras's parts"
        ratio = harness.ratios(times, name)[peer]
        record["cases"][name] = {"ratios": {"keras": ratio}}
        print(
            f"{name}: {medians[name]['wall_ms']:.1f} ms, {ratio['wall']:.3f} of the time with Keras's parts"
        )
    print(harness.write("semi_supervised_step", record))


if __name__ == "__main__":
    main()
