"""MMD between two activations as a part of a model's loss."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import harness
from tfmmd import discrepancies, kernels, layers

X, Y = harness.samples(12, 9)
KERNEL = kernels.RationalQuadratic()


@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_the_added_loss_is_the_weighted_mmd(estimator):
    layer = layers.MMDRegularizer(KERNEL, weight=0.3, estimator=estimator)
    layer([X, Y])
    np.testing.assert_allclose(
        layer.losses, [0.3 * discrepancies.mmd2(X, Y, KERNEL, estimator=estimator)], rtol=1e-6
    )


def test_both_activations_pass_through():
    outputs = layers.MMDRegularizer()([X, Y])
    np.testing.assert_array_equal(outputs[0], X)
    np.testing.assert_array_equal(outputs[1], Y)


def test_trailing_axes_are_flattened():
    images = [tf.reshape(s, [len(s), 3, 1, 1]) for s in (X, Y)]
    layer = layers.MMDRegularizer(KERNEL)
    layer(images)
    np.testing.assert_allclose(layer.losses, [discrepancies.mmd2(X, Y, KERNEL)], rtol=1e-6)


def test_it_is_one_line_in_a_functional_model_and_brings_the_codes_together():
    keras.utils.set_random_seed(0)
    left, right = keras.Input([3]), keras.Input([3])
    codes = layers.MMDRegularizer(weight=10.0)([keras.layers.Dense(2)(left), keras.layers.Dense(2)(right)])
    model = keras.Model([left, right], codes)
    model.compile(keras.optimizers.Adam(0.05), loss=None)
    history = model.fit([X[:9], Y], epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.3 * history[0]


def test_the_config_makes_the_same_layer():
    layer = layers.MMDRegularizer(0.5 * kernels.Energy(), weight=2.0, estimator="biased", name="regularizer")
    again = harness.round_trip(layer)
    assert repr(again.kernel) == repr(layer.kernel)
    assert (again.weight, again.estimator, again.name) == (2.0, "biased", "regularizer")


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.MMDRegularizer("gaussian"),
        lambda: layers.MMDRegularizer(weight=-1.0),
        lambda: layers.MMDRegularizer(estimator="linear"),
        lambda: layers.MMDRegularizer()(X),
    ],
)
def test_bad_settings_and_calls_are_refused(make):
    with pytest.raises(ValueError, match="Received: "):
        make()


@pytest.mark.distributed
def test_two_replicas_train_like_one_device():
    script = Path(__file__).with_name("regularizer_run.py")
    environment = {**os.environ, "PYTHONPATH": str(script.parents[2])}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
