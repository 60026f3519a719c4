"""The base of all kernels: pairing, checks, composition and (de)serialisation."""

import abc
import difflib
from typing import NamedTuple

import keras
import tensorflow as tf

from tfmmd import checks
from tfmmd.kernels.pairs import all_pairs, as_samples, matching_pairs


class Kernel(abc.ABC):
    """A function of two points, called on two samples: `k(x, y)` -> `[n, m]`.

    A sub-class gives `between`; a function of distance or inner product is better derived from
    `RadialKernel` or `DotKernel`, which also gives it the fast gradient of `tfmmd.discrepancies.mmd2`.
    """

    pairwise = False  # whether it is a function of `Pairs`, by `of_pairs` and `slopes`
    uses_distance = False
    uses_product = False

    def __call__(self, x, y):
        """The kernel matrix `[n, m]` of `x` `[n, d]` and `y` `[m, d]`, float32 (float64 for float64)."""
        same = x is y
        x, y = as_samples(x, y)
        return tf.cast(self.between(x, y, same=same), x.dtype)

    @abc.abstractmethod
    def between(self, x, y, *, same=False):
        """The kernel matrix `[n, m]` of checked samples, in their dtype or better.

        `same` says that `x` and `y` are one sample.
        """

    @property
    def of_product_alone(self):
        """Whether it is a function of the inner product alone.

        Such kernels grow without bound, and the digits of their differences with them: they are float64.
        """
        return self.pairwise and self.uses_product and not self.uses_distance

    def has_variables(self):
        """Whether a setting is a variable or tensor: gradients with respect to it need automatic differentiation."""
        return any(tf.is_tensor(v) or isinstance(v, keras.Variable) for v in vars(self).values())

    def matching(self, x, y):
        """k(x_i, y_i) `[n]` of row i of `x` `[n, d]` with row i of `y` `[n, d]`."""
        return tf.linalg.diag_part(self.between(x, y))

    def terms(self):
        """The kernel as a sum: list of (factor, features, kernel), features None or a function of samples."""
        return [(1.0, None, self)]

    def networks(self):
        """The Keras layers whose outputs it compares, a list."""
        return []

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __add__(self, other):
        from tfmmd.kernels.compose import Sum

        return Sum([self, other]) if isinstance(other, Kernel) else NotImplemented

    def __mul__(self, other):
        from tfmmd.kernels.compose import Product, Scaled

        return Product([self, other]) if isinstance(other, Kernel) else Scaled(other, self)

    def __rmul__(self, other):
        return self * other

    def __repr__(self):
        settings = ", ".join(
            f"{key}={getattr(self, key, value)!r}" for key, value in self.get_config().items()
        )
        return f"{type(self).__name__}({settings})"


class Slopes(NamedTuple):
    """A kernel on pairs with its derivatives; a derivative that is None is zero.

    Attributes:
        value: k.
        by_distance: dk / d(squared distance).
        by_product: dk / d(inner product).
    """

    value: tf.Tensor
    by_distance: tf.Tensor | None = None
    by_product: tf.Tensor | None = None


class PairwiseKernel(Kernel):
    """A kernel that is a function of squared distance and inner product alone."""

    pairwise = True

    @abc.abstractmethod
    def of_pairs(self, pairs):
        """The kernel of `Pairs`, entry by entry."""

    @abc.abstractmethod
    def slopes(self, pairs):
        """The kernel of `Pairs` with its derivatives, entry by entry: `Slopes`."""

    def between(self, x, y, *, same=False):
        wanted = {"distance": self.uses_distance, "product": self.uses_product}
        return self.of_pairs(all_pairs(x, y, **wanted, same=same))

    def matching(self, x, y):
        wanted = {"distance": self.uses_distance, "product": self.uses_product}
        return self.of_pairs(matching_pairs(x, y, **wanted))


def elementwise_slope(function, argument):
    """(f(a), f'(a)) of an elementwise function by automatic differentiation."""
    with tf.GradientTape() as tape:
        tape.watch(argument)
        value = function(argument)
    slope = tape.gradient(value, argument, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return value, slope


def check_kernel(kernel):
    """Returns `kernel` when it is a `Kernel`.

    Raises:
        ValueError: If it is anything else, such as a name.
    """
    if not isinstance(kernel, Kernel):
        checks.fail(
            "`kernel` must be a `tfmmd.kernels.Kernel`.",
            f"kernel={kernel!r}",
            "Use for example tfmmd.kernels.Gaussian((1.0,)).",
        )
    return kernel


def serialize(kernel):
    """A kernel's Keras config, a plain dictionary."""
    return keras.saving.serialize_keras_object(kernel)


def deserialize(config):
    """The kernel of a config made by `serialize`; kernels pass through."""
    if isinstance(config, Kernel):
        return config
    try:
        kernel = keras.saving.deserialize_keras_object(config)
    except (TypeError, ValueError) as error:
        _unknown(config, error)
    if not isinstance(kernel, Kernel):
        checks.fail(
            "A config of a `tfmmd.kernels.Kernel` is needed.", f"config={config!r}", "Use `serialize`."
        )
    return kernel


def _unknown(config, error):
    name = config.get("class_name") if isinstance(config, dict) else config
    known = sorted(_names(Kernel))
    if name in known:
        raise error
    near = difflib.get_close_matches(str(name), known, n=2, cutoff=0.4)
    hint = f"Did you mean {' or '.join(near)}?" if near else "Register your own kernel with Keras first."
    checks.fail(f"The kernel must be one of {known}.", f"class_name={name!r}", hint)


def _names(cls):
    """Names of all public kernels below `cls`."""
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("tfmmd.") and not (sub.__abstractmethods__ or sub.__name__[0] == "_"):
            yield sub.__name__
        yield from _names(sub)
