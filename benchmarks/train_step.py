"""Training steps of MMD GAN against plain PyTorch, interleaved: `python -m benchmarks.train_step`.

DCGAN networks of MNIST, 64 rows, 5 critic steps and 1 generator step: ours through `model.fit`, the peer's in
a process of its own. Times are milliseconds per training step, ratios ours over the other's; lower is better.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks import harness
from tfmmd import models, networks, optimizers, priors
from tfmmd.data import stream

PACKAGES = ("torch==2.13.0",)
SHAPE, ROWS, CRITIC_STEPS = (28, 28, 1), 64, 5
TARGET = 1.0  # of the ratio of wall times
CASES = (  # ours and the other's
    ("mmd-gan 16", "torch 16"),
    ("mmd-gan 64", "torch 64"),
    ("mmd-gan 16", "wgan-gp 64"),
)


def build(system, critic_filters):
    """A compiled model with the released code's networks and optimizers."""
    critic = networks.dcgan_critic(SHAPE, 1 if system is models.WGANGP else 16, filters=critic_filters)
    model = system(networks.dcgan_generator(100, SHAPE), critic, priors.Uniform(100))
    model.compile(
        generator_optimizer=optimizers.FusedAdam(1e-4, 0.5, 0.9),
        critic_optimizer=optimizers.FusedAdam(1e-4, 0.5, 0.9),
        critic_steps=CRITIC_STEPS,
        clip_norm=1.0,
    )
    return model


def ours(system, critic_filters, steps):
    """A function that times `steps` steps of `fit`, per step."""
    model = build(system, critic_filters)
    x = np.random.default_rng(0).uniform(size=((CRITIC_STEPS + 1) * ROWS, *SHAPE)).astype(np.float32)
    data = tf.data.Dataset.from_tensors(x).repeat().with_options(stream.untuned())
    return harness.timed(lambda: model.fit(data, steps_per_epoch=steps, verbose=0), steps)


def measure(rounds, steps):
    """Times of all variants that took turns."""
    peer = harness.Peer("train_step_torch.py", PACKAGES)
    variants = {
        "mmd-gan 16": ours(models.MMDGAN, 16, steps),
        "torch 16": lambda: peer.ask(critic_filters=16, steps=steps),
        "mmd-gan 64": ours(models.MMDGAN, 64, steps),
        "torch 64": lambda: peer.ask(critic_filters=64, steps=steps),
        "wgan-gp 64": ours(models.WGANGP, 64, steps),
    }
    times = harness.interleaved(variants, rounds)
    peer.close()
    return times


def main():
    """Measures, prints and writes `docs/results/train_step.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=3, help="steps of each variant in a round")
    options = parser.parse_args()
    times = measure(options.rounds, options.steps)
    record = harness.step_record(options.rounds) | {"times": harness.medians(times)}
    for mine, other in CASES:
        ratio = harness.ratios(times, mine)[other]
        record["cases"][f"{mine} against {other}"] = {"ratios": {other: ratio}, "target": TARGET}
        print(f"{mine} against {other}: wall {ratio['wall']:.3f}, cpu {ratio['cpu']:.3f} (target {TARGET})")
    print(harness.write("train_step", record))


if __name__ == "__main__":
    main()
