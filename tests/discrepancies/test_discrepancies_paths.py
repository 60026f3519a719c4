"""Which path is taken, and that no path is silently wrong: derivatives of any order, graphs, XLA, odd points."""

import numpy as np
import pytest
import tensorflow as tf

from tests import harness
from tfmmd import discrepancies, kernels
from tfmmd.discrepancies import plain, tiled, tiles

EVERY_KERNEL = pytest.mark.parametrize("kernel", harness.ALL_KERNELS, ids=repr)
EVERY_KIND = pytest.mark.parametrize("kernel", harness.KINDS_OF_KERNEL, ids=repr)
X, Y = (tf.constant(s) for s in harness.samples(13, 10, dtype="float64"))


def gradient_of_gradient(function, *arguments):
    """Gradients of the squared norm of the gradient times the value."""
    with tf.GradientTape() as outer:
        outer.watch(arguments)
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            value = function(*arguments)
        squares = [tf.reduce_sum(tf.square(g)) for g in inner.gradient(value, arguments)]
        result = value * tf.add_n(squares)
    return outer.gradient(result, arguments)


@EVERY_KIND
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_the_gradient_of_the_gradient_is_that_of_autodiff(kernel, graph):
    def both(method):
        def run(x, y):
            return gradient_of_gradient(lambda a, b: discrepancies.mmd2(a, b, kernel, method=method), x, y)

        return [t.numpy() for t in (tf.function(run) if graph else run)(X, Y)]

    harness.assert_close(both("tiled"), both("plain"), 1e-10)


def test_the_gradient_of_the_gradient_reaches_the_weights():
    weights = tf.constant(np.random.default_rng(0).uniform(0.5, 2.0, 13))

    def both(method):
        return gradient_of_gradient(
            lambda x, w: discrepancies.mmd2(x, Y, kernels.Gaussian(), method=method, x_weights=w), X, weights
        )

    harness.assert_close([t.numpy() for t in both("tiled")], [t.numpy() for t in both("plain")], 1e-10)


def test_the_hessian_is_that_of_autodiff():
    def hessian(method):
        with tf.GradientTape() as outer:
            outer.watch(X)
            with tf.GradientTape() as inner:
                inner.watch(X)
                value = discrepancies.mmd2(X, Y, kernels.RationalQuadratic(), method=method)
            slope = inner.gradient(value, X)
        return outer.jacobian(slope, X).numpy()

    harness.assert_close([hessian("tiled")], [hessian("plain")], 1e-10)


def test_forward_mode_is_that_of_autodiff():
    def forward(method):
        direction = tf.ones_like(X)
        with tf.autodiff.ForwardAccumulator(X, direction) as accumulator:
            with tf.GradientTape() as tape:
                tape.watch(X)
                value = discrepancies.mmd2(X, Y, kernels.Gaussian(), method=method)
            slope = tape.gradient(value, X)
        return [accumulator.jvp(value).numpy(), accumulator.jvp(slope).numpy()]

    harness.assert_close(forward("tiled"), forward("plain"), 1e-10)


@EVERY_KIND
def test_a_tape_outside_of_the_graph_finds_the_gradient(kernel):
    function = tf.function(lambda x, y: discrepancies.mmd2(x, y, kernel))
    expected = harness.value_and_gradients(
        lambda x, y: discrepancies.mmd2(x, y, kernel, method="plain"), X, Y
    )
    harness.assert_close(harness.value_and_gradients(function, X, Y), expected, 1e-10)


def test_a_sample_that_only_the_outer_tape_follows_has_its_gradient():
    kernel = kernels.Gaussian()

    @tf.function
    def inner_follows_y(x, y):
        with tf.GradientTape() as tape:
            tape.watch(y)
            value = discrepancies.mmd2(x, y, kernel)
        return value + 0.0 * tf.reduce_sum(tape.gradient(value, y))

    expected = harness.value_and_gradients(
        lambda x, y: discrepancies.mmd2(x, y, kernel, method="plain"), X, Y
    )
    harness.assert_close(harness.value_and_gradients(inner_follows_y, X, Y), expected, 1e-10)


@pytest.mark.parametrize("followed", [(True, False), (False, True), (True, True), (False, False)])
def test_only_followed_samples_get_a_gradient_on_the_way_forward(followed, monkeypatch):
    wanted = []
    cross = tiles.Tiles.cross
    monkeypatch.setattr(
        tiles.Tiles, "cross", lambda *a, gradients: wanted.append(gradients) or cross(*a, gradients=gradients)
    )
    with tf.GradientTape() as tape:
        tape.watch([s for s, f in zip((X, Y), followed) if f])
        discrepancies.mmd2(X, Y, kernels.Gaussian())
    assert wanted[0] == followed


@pytest.mark.parametrize("kernel", [kernels.Gaussian(), kernels.Polynomial()], ids=repr)
def test_unknown_sizes_are_traced(kernel):
    spec = tf.TensorSpec([None, None], tf.float64)

    @tf.function(input_signature=[spec, spec])
    def traced(x, y):
        return gradient_of_gradient(lambda a, b: discrepancies.mmd2(a, b, kernel), x, y)

    expected = gradient_of_gradient(lambda a, b: discrepancies.mmd2(a, b, kernel, method="plain"), X, Y)
    harness.assert_close([t.numpy() for t in traced(X, Y)], [t.numpy() for t in expected], 1e-10)


@pytest.mark.parametrize("kernel", [kernels.Gaussian((1.0, 2.0)), kernels.Polynomial()], ids=repr)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_tiles_and_steps_give_the_same_numbers(kernel, jit_compile, monkeypatch):
    monkeypatch.setattr(tiles, "_JIT_PAIRS", 0)
    x, y = (tf.constant(s) for s in harness.samples(50, 40))

    @tf.function(jit_compile=jit_compile)
    def step(x, y):
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            value = discrepancies.mmd2(x, y, kernel, tile_rows=16)
        return [value, *tape.gradient(value, [x, y])]

    expected = harness.value_and_gradients(lambda a, b: discrepancies.mmd2(a, b, kernel), x, y)
    harness.assert_close([t.numpy() for t in step(x, y)], expected, 2e-6)


def test_eager_replicated_and_dynamic_calls_are_not_compiled():
    assert not tiles._worth_compiling(tf.zeros([1000, 2]), tf.zeros([1000, 2]))
    seen = []

    @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([1000, 2])])
    def trace(x, y):
        seen.extend([tiles._worth_compiling(x, y), tiles._worth_compiling(y, y)])

    trace(tf.zeros([1000, 2]), tf.zeros([1000, 2]))
    assert seen == [False, not tf.config.list_logical_devices("GPU")]


def test_a_kernel_with_a_variable_has_the_gradient_of_its_variable():
    class Learned(kernels.RadialKernel):
        def __init__(self):
            self.rate = tf.Variable(0.5, dtype=tf.float64)

        def of_squared_distance(self, d2):
            return tf.exp(-self.rate * d2)

    kernel = Learned()
    with tf.GradientTape() as tape:
        value = discrepancies.mmd2(X, Y, kernel)
    step = 1e-6
    kernel.rate.assign_add(step)
    slope = (discrepancies.mmd2(X, Y, kernel) - value) / step
    np.testing.assert_allclose(tape.gradient(value, kernel.rate), slope, rtol=1e-4)


def test_a_kernel_that_is_no_function_of_distance_takes_the_plain_path():
    class Overlap(kernels.Kernel):
        def between(self, x, y, *, same=False):
            return tf.reduce_sum(tf.minimum(x[:, None], y[None]), axis=-1)

    with pytest.raises(ValueError, match="needs a kernel of distance and inner product"):
        discrepancies.mmd2(X, Y, Overlap(), method="tiled")
    k = Overlap()
    xx, yy, xy = (k(a, b).numpy() for a, b in ((X, X), (Y, Y), (X, Y)))
    off = [(m.sum() - np.trace(m)) / (len(m) * (len(m) - 1)) for m in (xx, yy)]
    np.testing.assert_allclose(discrepancies.mmd2(X, Y, k), sum(off) - 2 * xy.mean(), rtol=1e-10)


@EVERY_KERNEL
@pytest.mark.parametrize("method", ["tiled", "plain"])
def test_value_and_gradient_are_finite_at_equal_samples_and_at_one_row(kernel, method):
    for x, y in ((np.ones([4, 2]), np.ones([3, 2])), (np.ones([1, 2]), np.zeros([1, 2]))):
        x, y = x.astype("float32"), y.astype("float32")
        for part in harness.value_and_gradients(
            lambda a, b: discrepancies.mmd2(a, b, kernel, estimator="biased", method=method), x, y
        ):
            assert np.isfinite(part).all()


@pytest.mark.parametrize("kernel", harness.RADIAL_KERNELS, ids=repr)
def test_the_root_has_a_small_gradient_at_equal_samples(kernel):
    x = harness.samples(20, 20)[0]
    value, *gradients = harness.value_and_gradients(lambda a, b: discrepancies.mmd(a, b, kernel), x, x)
    # Rounding leaves a distance of 1e-3 between equal rows of two samples: kernels of its root feel it.
    assert 0 <= value < 1e-2
    assert all(np.abs(g).max() < 1e-2 for g in gradients)


def of_unknown_size(estimator, **options):
    """`mmd2` traced for samples `[n, 2]`, `[m, 2]` of unknown sizes."""
    spec = tf.TensorSpec([None, 2], tf.float32)
    trace = tf.function(input_signature=[spec] * 2, **options)
    return trace(lambda x, y: discrepancies.mmd2(x, y, kernels.Gaussian(), estimator=estimator))


@pytest.mark.parametrize("estimator", ["unbiased", "linear", "block"])
@pytest.mark.parametrize("sizes", [(1, 3), (3, 1)])
def test_one_row_of_unknown_size_is_refused_when_the_graph_runs(estimator, sizes):
    name = "x" if sizes[0] == 1 else "y"
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"at least 2 rows in `{name}`.*Received: fewer"):
        of_unknown_size(estimator)(*(tf.zeros([size, 2]) for size in sizes))


def test_a_block_longer_than_a_sample_of_unknown_size_is_refused_when_the_graph_runs():
    @tf.function(input_signature=[tf.TensorSpec([None, 2])] * 2)
    def traced(x, y):
        return discrepancies.mmd2(x, y, kernels.Gaussian(), estimator="block", block_size=4)

    assert np.isfinite(traced(tf.zeros([4, 2]), tf.ones([5, 2])))
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 4 rows in `x`"):
        traced(tf.zeros([3, 2]), tf.ones([5, 2]))


@pytest.mark.parametrize("estimator", ["unbiased", "linear", "block", "biased"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_samples_of_unknown_size_have_the_eager_value(estimator, jit_compile):
    x, y = harness.samples(6, 5, d=2)
    expected = discrepancies.mmd2(x, y, kernels.Gaussian(), estimator=estimator)
    np.testing.assert_allclose(of_unknown_size(estimator, jit_compile=jit_compile)(x, y), expected, rtol=1e-5)


def test_one_row_of_unknown_size_has_no_pairs_of_its_own_in_a_training_cost():
    kernel = kernels.Gaussian()

    @tf.function(input_signature=[tf.TensorSpec([None, 2])] * 2)
    def traced(x, y):
        return discrepancies.global_mmd2(x, y, kernel)

    x, y = harness.samples(1, 3, d=2)
    k = [np.asarray(kernel(a, b), np.float64) for a, b in ((y, y), (x, y))]
    expected = (k[0].sum() - np.trace(k[0])) / 6 - 2 * k[1].mean()
    np.testing.assert_allclose(traced(x, y), expected, rtol=1e-5)


def test_the_tiled_form_is_the_plain_form():
    weights = (None, None)
    for biased in (True, False):
        both = [f.quadratic_form(X, Y, kernels.Energy(), weights, biased=biased) for f in (tiled, plain)]
        np.testing.assert_allclose(*both, rtol=1e-10)
