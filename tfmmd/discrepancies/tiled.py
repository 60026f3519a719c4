"""MMD**2 with its gradient in closed form.

The loss is a scalar, so the forward pass forms the gradient from the very tiles that give the value, and the
backward pass only multiplies by a number. Gradients that nobody follows are left out, and found later should
they be wanted after all. The gradient of the gradient is that of the plain form.
"""

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util, record

from tfmmd.discrepancies import plain
from tfmmd.discrepancies.tiles import Tiles


def quadratic_form(x, y, kernel, weights, *, biased, tile_rows=None):
    """MMD**2 of two samples, tile by tile; arguments and value as in `plain.quadratic_form`."""
    form = _Form(kernel, biased, tile_rows, [w is not None for w in weights])
    inputs = [x, y, *(w for w in weights if w is not None)]
    followed = [_is_followed(t) for t in inputs]
    never = [tf.executing_eagerly() and not f for f in followed]

    @tf.custom_gradient
    def value(*inputs):
        result, slopes = form.tiled([tf.stop_gradient(t) for t in inputs], followed)

        def backward(upstream):
            known = [tf.zeros_like(t) if n else s for t, s, n in zip(inputs, slopes, never)]
            return form.backward(upstream, inputs, known)

        return result, backward

    return value(*inputs)


class _Form:
    """The form as a function of its tensors alone: x, y, then the weights that are given."""

    def __init__(self, kernel, biased, tile_rows, given):
        self.kernel, self.biased, self.tile_rows, self.given = kernel, biased, tile_rows, given

    def plain(self, *inputs):
        x, y, *weights = self._with_weights(inputs)
        return plain.quadratic_form(x, y, self.kernel, weights, biased=self.biased)

    def tiled(self, inputs, wanted):
        """The value, and the gradients with respect to all inputs: None if not wanted, or of weights."""
        x, y, *weights = self._with_weights(inputs)
        a, b = (plain.weights_of(s, w) for s, w in zip((x, y), weights))
        tiles = Tiles(x, y, self.kernel, biased=self.biased, tile_rows=self.tile_rows)
        of_xx, of_yy, of_xy = plain.pair_masses(a, b, self.biased)
        xx, slope_xx = tiles.within(x, weights[0], gradient=wanted[0])
        with tf.control_dependencies(_present(xx, slope_xx)):  # a graph would hold all three at once
            yy, slope_yy = tiles.within(y, weights[1], gradient=wanted[1])
        with tf.control_dependencies(_present(yy, slope_yy)):
            xy, *slopes_xy = tiles.cross(x, weights[0], y, weights[1], gradients=tuple(wanted[:2]))
        slopes = [None] * len(inputs)
        if wanted[0]:
            slopes[0] = _joined(slope_xx, of_xx, slopes_xy[0], of_xy) + tiles.linear_part(
                x, a, y, b, of_xx, of_xy
            )
        if wanted[1]:
            slopes[1] = _joined(slope_yy, of_yy, slopes_xy[1], of_xy) + tiles.linear_part(
                y, b, x, a, of_yy, of_xy
            )
        return tf.cast(xx / of_xx + yy / of_yy - 2.0 * xy / of_xy, x.dtype), slopes

    def backward(self, upstream, inputs, known):
        """The gradients `upstream * known`, themselves differentiable by way of the plain form."""

        @tf.custom_gradient
        def first(upstream, *inputs):
            def second(*seeds):
                return plain.slopes([upstream, *inputs], lambda u, *i: _inner(seeds, self._weighted(u, i)))

            slopes = self._completed([tf.stop_gradient(t) for t in inputs], known)
            return [upstream * s for s in slopes], second

        return first(upstream, *inputs)

    def _weighted(self, upstream, inputs):
        return [upstream * s for s in plain.slopes(inputs, self.plain)]

    def _completed(self, inputs, known):
        """Fills in the gradients that were not followed on the way forward."""
        missing = [k is None for k in known]
        found = list(known)
        if any(missing[:2]):
            found[:2] = [f if k is None else k for f, k in zip(self.tiled(inputs, missing)[1], known)]
        if any(missing[2:]):
            found[2:] = plain.slopes(inputs, self.plain)[2:]
        return found

    def _with_weights(self, inputs):
        rest = iter(inputs[2:])
        return [*inputs[:2], *(next(rest) if g else None for g in self.given)]


def _present(*tensors):
    return [t for t in tensors if t is not None]


def _joined(within, mass, cross, cross_mass):
    """The gradient of within / mass - 2 cross / cross_mass."""
    return within / tf.cast(mass, within.dtype) - 2.0 * cross / tf.cast(cross_mass, cross.dtype)


def _inner(seeds, slopes):
    return tf.add_n([tf.reduce_sum(a * b) for a, b in zip(seeds, slopes)])


def _is_followed(tensor):
    """Whether a gradient tape or a forward accumulator follows `tensor` at this moment."""
    return record.should_record_backprop([tensor]) or bool(forwardprop_util.pack_tangents([tensor]).tangents)
