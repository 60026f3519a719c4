"""Epochs of GAE against a VAE with the same networks, interleaved: `python -m benchmarks.gae_step`.

Two hidden layers of 500 on each side, codes of 10, 200 rows a step, Adam, `fit` on an array: what a GAE does
at the end of an epoch, storing the codes of its rows, is in its time. Times are milliseconds per training step
with that share, ratios GAE over VAE; lower is better.
"""

import argparse
import math
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from benchmarks import harness
from tfmmd import models, networks

SHAPE, BATCH, CODE, HIDDEN = (28, 28, 1), 200, 10, (500, 500)
TARGET = 1.5  # of the ratio of wall times, for the bound of "self" with one draw
VARIANTS = {  # settings of the GAE; the warm-up would time "self" in place of the mixture objectives
    "self, 1 draw": {},
    "self, 3 draws": {"num_draws": 3},
    "path, 1 draw": {"objective": "path", "warmup_epochs": 0},
    "aggregate, 1 draw": {"objective": "aggregate", "warmup_epochs": 0},
    "aggregate, leave one out": {"objective": "aggregate", "leave_one_out": True, "warmup_epochs": 0},
    "path by score, 20 draws": {
        "objective": "path",
        "estimator": "score",
        "num_draws": 20,
        "warmup_epochs": 0,
    },
}


def compiled(model, **settings):
    """A compiled `model` class on new networks of logits."""
    keras.utils.set_random_seed(0)
    encoder = networks.vae_encoder(SHAPE, CODE, hidden=HIDDEN)
    decoder = networks.vae_decoder(CODE, SHAPE, hidden=HIDDEN, output_activation=None)
    model = model(encoder, decoder, logits=True, **settings)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    return model


def epochs(model, steps):
    """A function that times an epoch of `steps` steps, per step."""
    x = rows(steps * BATCH)
    return harness.timed(lambda: model.fit(x, batch_size=BATCH, verbose=0), steps)


def rows(number):
    """Bits `[n, 28, 28, 1]` that a few numbers each explain, so that codes have something to say."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(number, CODE)) @ rng.normal(size=(CODE, math.prod(SHAPE)))
    return (values > 2.0).astype(np.float32).reshape(number, *SHAPE)


def measure(rounds, steps):
    """Times of all variants, which took turns."""
    variants = {"vae": epochs(compiled(models.VAE), steps)}
    for name, settings in VARIANTS.items():
        variants[name] = epochs(compiled(models.GAE, **settings), steps)
    return harness.interleaved(variants, rounds)


def main():
    """Measures, prints and writes `docs/results/gae_step.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20, help="steps of an epoch")
    options = parser.parse_args()
    times = measure(options.rounds, options.steps)
    record = harness.step_record(options.rounds) | {"times": harness.medians(times)}
    for name in VARIANTS:
        ratio = harness.ratios(times, name)["vae"]
        target = {"target": TARGET} if name == "self, 1 draw" else {}
        record["cases"][name] = {"ratios": {"vae": ratio}, **target}
        print(f"{name} against a VAE: wall {ratio['wall']:.3f}, cpu {ratio['cpu']:.3f}")
    print(harness.write("gae_step", record))


if __name__ == "__main__":
    main()
