"""Training steps of WAE-MMD against pythae with the same layers, interleaved: `python -m benchmarks.wae_step`.

pythae's default dense layers and its convolutions for MNIST (17 million weights), 100 rows, Adam. Times are
milliseconds per training step, ratios ours over pythae's; lower is better.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks import harness
from tfmmd import models, networks, optimizers, priors
from tfmmd.data import stream

PACKAGES = ("torch==2.13.0", "pythae==0.1.2")
SHAPE, ROWS, CODE = (28, 28, 1), 100, 8
TARGET = 1.0  # of the ratio of wall times


def dense():
    """pythae's Encoder_AE_MLP and Decoder_AE_MLP."""
    return (
        networks.mlp(SHAPE, (512,), CODE),
        networks.mlp(CODE, (512,), SHAPE, output_activation="sigmoid"),
    )


def convolutional():
    """pythae's Encoder_Conv_AE_MNIST and Decoder_Conv_AE_MNIST."""
    return _encoder(), _decoder()


def _encoder():
    inputs = x = keras.Input(SHAPE)
    for filters in (128, 256, 512, 1024):
        x = keras.layers.ZeroPadding2D(1)(x)
        x = keras.layers.Conv2D(filters, 4, strides=2)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(CODE)(keras.layers.Flatten()(x)))


def _decoder():
    inputs = keras.Input((CODE,))
    x = keras.layers.Reshape((4, 4, 1024))(keras.layers.Dense(4 * 4 * 1024)(inputs))
    options = {"strides": 2, "padding": "same"}
    for filters, extra in ((512, 0), (256, 1)):
        x = keras.layers.Conv2DTranspose(filters, 3, output_padding=extra, **options)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2DTranspose(1, 3, output_padding=1, activation="sigmoid", **options)(x)
    return keras.Model(inputs, x)


def ours(networks_of, steps):
    """A function that times `steps` steps of `fit`, per step."""
    model = models.WAEMMD(*networks_of(), priors.Normal(CODE))
    model.compile(optimizer=optimizers.FusedAdam(1e-3, beta_1=0.5))
    x = np.random.default_rng(0).uniform(size=(ROWS, *SHAPE)).astype(np.float32)
    data = tf.data.Dataset.from_tensors(x).repeat().with_options(stream.untuned())
    return harness.timed(lambda: model.fit(data, steps_per_epoch=steps, verbose=0), steps)


def measure(case, peer, rounds):
    """Times of both, which took turns."""
    networks_of, steps = CASES[case]
    variants = {
        "tfmmd": ours(networks_of, steps),
        "pythae": lambda: peer.ask(case=case, rows=ROWS, steps=steps),
    }
    return harness.interleaved(variants, rounds)


CASES = {"dense": (dense, 200), "convolutions": (convolutional, 5)}  # networks and steps of a round


def main():
    """Measures, prints and writes `docs/results/wae_step.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    peer = harness.Peer("wae_step_pythae.py", PACKAGES)
    record = harness.step_record(options.rounds)
    for case in CASES:
        times = measure(case, peer, options.rounds)
        ratio = harness.ratios(times, "tfmmd")["pythae"]
        record["cases"][case] = {
            "times": harness.medians(times),
            "ratios": {"pythae": ratio},
            "target": TARGET,
        }
        print(f"{case} against pythae: wall {ratio['wall']:.3f}, cpu {ratio['cpu']:.3f} (target {TARGET})")
    peer.close()
    print(harness.write("wae_step", record))


if __name__ == "__main__":
    main()
