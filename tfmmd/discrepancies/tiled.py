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
        tiles = Tiles((x, y), weights, self.kernel, biased=self.biased, tile_rows=self.tile_rows)
        of_xx, of_yy, of_xy = plain.pair_masses(a, b, self.biased)
        scales = [tf.cast(s, x.dtype) for s in (2.0 / of_xx, 2.0 / of_yy, -2.0 / of_xy)]
        xx, of_x = tiles.within(0, scales[0], gradient=wanted[0])
        with tf.control_dependencies(_waited_for(tiles.large[0], xx, of_x)):
            yy, of_y = tiles.within(1, scales[1], gradient=wanted[1])
        with tf.control_dependencies(_waited_for(tiles.large[1], yy, of_y)):
            xy, sums = tiles.cross(scales[2], (of_x, of_y), gradients=tuple(wanted[:2]))
        slopes = [None] * len(inputs)
        for i, mass in enumerate((of_xx, of_yy)):
            slopes[i] = tiles.gradient(i, sums[i], mass, of_xy) if wanted[i] else None
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


def _waited_for(large, *results):
    """What the next sum waits for: a graph runs independent sums at once, which is faster but holds more."""
    return [t for t in tf.nest.flatten(results) if t is not None] if large else []


def _inner(seeds, slopes):
    return tf.add_n([tf.reduce_sum(a * b) for a, b in zip(seeds, slopes)])


def _is_followed(tensor):
    """Whether a gradient tape or a forward accumulator follows `tensor` at this moment."""
    return record.should_record_backprop([tensor]) or bool(forwardprop_util.pack_tangents([tensor]).tangents)
