"""Kernels made of kernels: sums, products, scalings, and a kernel on a network's output."""

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.kernels.base import Kernel, Slopes, deserialize, serialize
from tfmmd.kernels.pairs import all_pairs
from tfmmd.registry import register


class _Composite(Kernel):
    """A kernel computed from the values of others; pairs are formed once where all can share them."""

    combine: Callable  # values of the parts -> value

    def __init__(self, kernels):
        self.kernels = _flat(type(self), kernels)
        self.uses_distance = any(k.uses_distance for k in self.kernels)
        self.uses_product = any(k.uses_product for k in self.kernels)

    @property
    def pairwise(self):
        """Whether all parts are functions of squared distance and inner product."""
        return all(k.pairwise for k in self.kernels)

    def of_pairs(self, pairs):
        return self.combine([k.of_pairs(pairs) for k in self.kernels])

    def between(self, x, y, *, same=False):
        if not self.pairwise:
            return self.combine([tf.cast(k.between(x, y, same=same), x.dtype) for k in self.kernels])
        pairs = all_pairs(x, y, distance=self.uses_distance, product=self.uses_product, same=same)
        return self.of_pairs(pairs)

    def matching(self, x, y):
        return self.combine([tf.cast(k.matching(x, y), x.dtype) for k in self.kernels])

    def has_variables(self):
        return any(k.has_variables() for k in self.kernels)

    def networks(self):
        return [network for k in self.kernels for network in k.networks()]

    def get_config(self):
        return {"kernels": [serialize(k) for k in self.kernels]}

    @classmethod
    def from_config(cls, config):
        return cls([deserialize(k) for k in config["kernels"]])


@register
class Sum(_Composite):
    """Sum of kernels, `k1 + k2`."""

    combine = staticmethod(tf.add_n)

    def slopes(self, pairs):
        return _added([k.slopes(pairs) for k in self.kernels])

    def terms(self):
        """Kernels of distance alone together, kernels of the inner product alone together, others one by one."""
        groups = {}
        for i, k in enumerate(self.kernels):
            kind = (k.uses_distance, k.uses_product) if k.pairwise else (True, True)
            groups.setdefault(i if all(kind) else kind, []).append(k)
        if len(groups) == 1 and self.pairwise:
            return [(1.0, None, self)]
        return [term for group in groups.values() for term in _sum(group).terms()]

    def __repr__(self):
        return " + ".join(map(repr, self.kernels))


@register
class Product(_Composite):
    """Product of kernels, `k1 * k2`."""

    combine = staticmethod(math.prod)

    def slopes(self, pairs):
        parts = [k.slopes(pairs) for k in self.kernels]
        spread = []
        for i, part in enumerate(parts):
            others = math.prod(p.value for j, p in enumerate(parts) if j != i)
            spread.append(Slopes(*(None if s is None else s * others for s in part)))
        return _added(spread)._replace(value=self.combine([p.value for p in parts]))

    def __repr__(self):
        return " * ".join(f"({k!r})" if isinstance(k, Sum) else repr(k) for k in self.kernels)


@register
class Scaled(_Composite):
    """A kernel times a positive number, `0.5 * k`.

    Args:
        factor: Positive number.
        kernel: A kernel.
    """

    def __init__(self, factor, kernel):
        self.factor = checks.positive_number("factor", factor)
        super().__init__([kernel])
        self.kernel = self.kernels[0]

    def combine(self, values):
        return self.factor * values[0]

    def slopes(self, pairs):
        return Slopes(*(None if s is None else self.factor * s for s in self.kernel.slopes(pairs)))

    def terms(self):
        return [(self.factor * factor, features, kernel) for factor, features, kernel in self.kernel.terms()]

    def get_config(self):
        return {"factor": self.factor, "kernel": serialize(self.kernel)}

    @classmethod
    def from_config(cls, config):
        return cls(config["factor"], deserialize(config["kernel"]))

    def __repr__(self):
        inner = f"({self.kernel!r})" if isinstance(self.kernel, Sum) else repr(self.kernel)
        return f"{self.factor:g} * {inner}"


@register
class OnFeatures(Kernel):
    """A kernel on a network's output: k(x, y) = kernel(network(x), network(y)).

    Samples are rows `[n, d]` here; hand images in by a network that begins with a `Reshape`. A model or layer
    that holds the kernel saves the network's weights with its own and freezes them.

    Args:
        kernel: A kernel.
        network: A Keras layer or model, or any function from `[n, d]` to `[n, k]`.
    """

    def __init__(self, kernel, network):
        self.kernel, self.network = kernel, network

    def features(self, x):
        """The network's output on `x` `[n, d]`, in float32 or better: `[n, k]`."""
        output = self.network(x)
        checks.rank("network(x)", output, 2)
        return output if output.dtype == tf.float64 else tf.cast(output, tf.float32)

    def between(self, x, y, *, same=False):
        fx = self.features(x)
        return self.kernel.between(fx, fx if same else self.features(y), same=same)

    def matching(self, x, y):
        return self.kernel.matching(self.features(x), self.features(y))

    def terms(self):
        return [(factor, _chain(self.features, inner), k) for factor, inner, k in self.kernel.terms()]

    def networks(self):
        own = [self.network] if isinstance(self.network, keras.layers.Layer) else []
        return own + self.kernel.networks()

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {"kernel": serialize(self.kernel), "network": network}

    @classmethod
    def from_config(cls, config):
        network = config["network"]
        if isinstance(network, dict):
            network = keras.saving.deserialize_keras_object(network)
        return cls(deserialize(config["kernel"]), network)

    def __repr__(self):
        return f"OnFeatures({self.kernel!r}, {getattr(self.network, 'name', self.network)!r})"


def frozen_networks(kernel):
    """The networks that a kernel compares by, frozen.

    A model or layer of your own that holds a kernel keeps them as an attribute: Keras then saves their weights.

    Args:
        kernel: A `Kernel`.

    Returns:
        List of Keras layers, `trainable=False` from here on; empty for kernels without networks.
    """
    networks = kernel.networks()
    for network in networks:
        network.trainable = False
    return networks


def standardized(kernel, x):
    """The kernel on columns in units of their spread: k((x - mean) / std, (y - mean) / std).

    For tables, whose columns have units of their own. A column that is constant in `x` keeps its unit.

    Args:
        kernel: A kernel; its bandwidths are then in standard deviations.
        x: Array `[n, d]` that mean and standard deviation come from.

    Returns:
        An `OnFeatures`.
    """
    rows = checks.rank("x", np.asarray(x, np.float64), 2)
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    scale = 1.0 / np.where(spread > 0, spread, 1.0)
    layer = keras.layers.Rescaling(scale.tolist(), (-mean * scale).tolist(), dtype="float32")
    return OnFeatures(kernel, layer)


def _sum(kernels):
    return kernels[0] if len(kernels) == 1 else Sum(kernels)


def _flat(cls, kernels):
    """A non-empty list of kernels, with those of the same class replaced by their parts."""
    kernels = list(kernels)
    if not kernels:
        checks.fail(f"`{cls.__name__}` needs at least one kernel.", "kernels=[]", "Give it one or more.")
    for kernel in kernels:
        if not isinstance(kernel, Kernel):
            checks.fail(
                f"`{cls.__name__}` is made of kernels.",
                f"{type(kernel).__name__} {kernel!r}",
                "Use a `tfmmd.kernels.Kernel`.",
            )
    if cls is Scaled:
        return kernels
    return [part for k in kernels for part in (k.kernels if isinstance(k, cls) else [k])]


def _added(parts):
    """Entry by entry sum of `Slopes`."""
    columns = zip(*parts)
    present = [[s for s in column if s is not None] for column in columns]
    return Slopes(*(tf.add_n(column) if column else None for column in present))


def _chain(outer, inner):
    """The function x -> inner(outer(x)); `inner` may be None."""
    return outer if inner is None else lambda x: inner(outer(x))
