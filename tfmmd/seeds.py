"""Stateless noise: the only source of randomness in a training step and in sampling.

Two kinds of draws, both counter-based (Philox 4x32-10, Salmon et al. 2011), neither with a state to save:

* a training step draws a block from (seed, step, role): `uniform`, `normal`;
* sampling draws one row per seed: `uniform_rows`, `normal_rows`. Row i depends on `row_seeds[i]` and the
  role alone, whatever else is in the batch.

A role is a short name ("latent", "interpolation"); different roles give independent draws.
"""

import math
import secrets
import zlib

import numpy as np
import tensorflow as tf

from tfmmd import checks

_MIX = 0x9E3779B97F4A7C15  # odd 64-bit constant: spreads a role over the whole key
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF
_LANES = 16  # floats in the widest CPU vector; scalar remainders of log and cos round differently


def role_number(role):
    """A stable 32-bit number for a role's name."""
    return zlib.crc32(role.encode())


def fresh():
    """A new base seed from the operating system, an int that leaves room for `seed + i`."""
    return secrets.randbits(62)


def pair(seed, step, role):
    """The int64 `[2]` seed of a `tf.random.stateless_*` draw.

    Args:
        seed: The run's seed, an int or int64 scalar tensor.
        step: Batches that the optimizer was given before, an int or scalar tensor.
        role: Name of the draw.
    """
    mixed = (role_number(role) * _MIX) % 2**64
    mixed -= 2**64 if mixed >= 2**63 else 0
    key = tf.bitwise.bitwise_xor(tf.cast(seed, tf.int64), tf.constant(mixed, tf.int64))
    return tf.stack([key, tf.cast(step, tf.int64)])


def uniform(shape, seed_pair, low=0.0, high=1.0, dtype=tf.float32):
    """Uniform noise `[*shape]` in [low, high) from a seed pair."""
    return tf.random.stateless_uniform(shape, seed_pair, low, high, dtype=dtype, alg="philox")


def normal(shape, seed_pair, dtype=tf.float32):
    """Standard normal noise `[*shape]` from a seed pair."""
    return tf.random.stateless_normal(shape, seed_pair, dtype=dtype, alg="philox")


def normal_block(shape, seed_pair):
    """Standard normal float32 noise `[*shape]` from a seed pair, for the large draws of noise inside of networks.

    By Box-Muller on whole arrays, two draws from the halves of one 32-bit word, which costs less than `normal`
    on a CPU. Halves of 16 bits leave no draw beyond 4.86 standard deviations.
    """
    size = tf.reduce_prod(shape)
    words = tf.random.stateless_uniform(
        [(size + 1) // 2], seed_pair, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    low, high = (
        tf.bitwise.bitwise_and(words, 0xFFFF),
        tf.bitwise.right_shift(words, tf.constant(16, tf.uint32)),
    )
    radius = tf.sqrt(-2.0 * tf.math.log((tf.cast(low, tf.float32) + 0.5) * 2.0**-16))
    angle = tf.cast(high, tf.float32) * (2.0 * math.pi * 2.0**-16)
    flat = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)
    return tf.reshape(flat[:size], shape)


def bits_rows(row_seeds, size, role):
    """Random 32-bit words, one row per seed.

    Row i holds the first `size` words of the Philox stream with key `row_seeds[i]` and counter
    (0, role): the words of `tf.raw_ops.StatelessRandomUniformFullIntV2` for that key and counter.

    Args:
        row_seeds: int64 tensor `[n]`.
        size: Number of words in a row, `k`.
        role: Name of the draw.

    Returns:
        uint64 tensor `[n, k]` of values below 2**32.
    """
    groups = math.ceil(size / 4)
    keys = tf.bitcast(tf.convert_to_tensor(row_seeds, tf.int64), tf.uint64)[:, None]
    counter = tf.range(groups, dtype=tf.int64)[None, :]
    zero = tf.zeros_like(keys)
    rows = (tf.cast(counter, tf.uint64) + zero, zero, zero + tf.cast(role_number(role), tf.uint64), zero)
    words = [w + tf.zeros([1, groups], tf.uint64) for w in rows]
    words = _philox(words, [keys & _LOW, _shift_right(keys)])
    return tf.reshape(tf.stack(words, axis=-1), [-1, groups * 4])[:, :size]


def uniform_rows(row_seeds, size, role, low=0.0, high=1.0):
    """Uniform float32 noise `[n, k]` in [low, high), row i from `row_seeds[i]` alone."""
    return low + (high - low) * _unit(bits_rows(row_seeds, size, role))


def normal_rows(row_seeds, size, role):
    """Standard normal float32 noise `[n, k]`, row i from `row_seeds[i]` alone (Box-Muller)."""
    half = _LANES * math.ceil(size / 2 / _LANES)  # whole vectors: else a row's last bits depend on its place
    unit = _unit(bits_rows(row_seeds, 2 * half, role))
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - unit[:, :half]))  # 1 - u lies in (0, 1]
    angle = 2.0 * math.pi * unit[:, half:]
    return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=1)[:, :size]


def row_seeds(num_samples, seed=None):
    """The int64 `[num_samples]` seeds of `sample(num_samples, seed)`: seed + i; None draws a fresh base."""
    num_samples = checks.positive_int("num_samples", num_samples)
    base = fresh() if seed is None else checks.int64("seed", seed)
    checks.int64("seed + num_samples - 1", base + num_samples - 1)
    return tf.constant(base + np.arange(num_samples, dtype=np.int64), tf.int64)


def _unit(words):
    """uint64 words below 2**32 -> float32 in [0, 1) with 24 bits."""
    return tf.cast(tf.bitwise.right_shift(words, tf.constant(8, tf.uint64)), tf.float32) * 2.0**-24


def _shift_right(x):
    return tf.bitwise.right_shift(x, tf.constant(32, tf.uint64))


def _philox(words, keys):
    """Ten rounds of Philox 4x32 on uint64 tensors that hold 32-bit words."""
    for step in range(10):
        product0 = words[0] * _MULTIPLIERS[0]
        product1 = words[2] * _MULTIPLIERS[1]
        key0 = (keys[0] + (step * _WEYL[0]) % 2**32) & _LOW
        key1 = (keys[1] + (step * _WEYL[1]) % 2**32) & _LOW
        words = [
            _shift_right(product1) ^ words[1] ^ key0,
            product1 & _LOW,
            _shift_right(product0) ^ words[3] ^ key1,
            product0 & _LOW,
        ]
    return words


def generator(seed, role):
    """A NumPy generator for draws on the host, from an int seed and the name of the draw."""
    return np.random.default_rng([int(seed) % 2**64, role_number(role)])
