"""What every layer of Improved GAN keeps: config, saving, precision, tracing, gradients, docstring examples."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmmd
from tfmmd import layers

REFERENCE = np.linspace(-1.0, 1.0, 15).reshape(5, 3).astype(np.float32)
LAYERS = {
    "gaussian-noise": lambda: layers.GaussianNoise(0.3, seed=1),
    "dropout": lambda: layers.Dropout(0.4, seed=1),
    "maxout": lambda: layers.Maxout(4, pieces=2),
    "weight-normalization": lambda: layers.WeightNormalization(keras.layers.Dense(4, "softplus")),
    "weight-normalization-fixed": lambda: layers.WeightNormalization(
        keras.layers.Dense(4, use_bias=False), trainable_scale=False, init_stddev=None, epsilon=1e-6
    ),
    "minibatch-discrimination": lambda: layers.MinibatchDiscrimination(4, 2),
    "minibatch-discrimination-paper": lambda: layers.MinibatchDiscrimination(
        4, 2, include_self=True, weight_normalization=False, use_bias=False
    ),
    "virtual-batch-norm": lambda: layers.VirtualBatchNormalization(5),
    "reference-batch": lambda: layers.ReferenceBatch(REFERENCE),
    "drop-reference": lambda: layers.DropReference(5),
}
ALL = pytest.mark.parametrize("name", LAYERS)
EXAMPLES = [
    layers.DropReference,
    layers.Dropout,
    layers.GaussianNoise,
    layers.Maxout,
    layers.MinibatchDiscrimination,
    layers.ParameterAverage,
    layers.ReferenceBatch,
    layers.VirtualBatchNormalization,
    layers.WeightNormalization,
    layers.initialize,
    tfmmd.objectives.FeatureMatching,
    tfmmd.penalties.HistoricalAveraging,
]


def rows(count=8, seed=3):
    return tf.random.stateless_normal([count, 3], [seed, 1])


def built(name):
    layer = LAYERS[name]()
    layer.build((None, 3))
    return layer


@ALL
def test_config_round_trip_gives_an_equal_config(name):
    layer = LAYERS[name]()
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()


@ALL
def test_saved_functional_model_gives_equal_outputs(name, tmp_path):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, LAYERS[name]()(inputs))
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(rows()), model(rows()))


@ALL
def test_static_output_shape_is_the_true_one(name):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, LAYERS[name]()(inputs))
    assert model.output_shape[1:] == tuple(model(rows()).shape[1:])


@ALL
def test_unknown_batch_size_traces_and_agrees_with_eager(name):
    layer = built(name)
    traced = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec([None, 3], tf.float32)])
    np.testing.assert_allclose(traced(rows()), layer(rows()), rtol=1e-5, atol=1e-6)


@ALL
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_gradients_are_finite_at_equal_rows(name, value):
    layer, x = built(name), tf.fill([8, 3], value)
    with tf.GradientTape() as tape:
        tape.watch(x)
        cost = tf.reduce_sum(tf.square(layer(x)))
    for gradient in tape.gradient(cost, [x, *(v.value for v in layer.trainable_variables)]):
        assert np.all(np.isfinite(gradient))


@ALL
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_agrees_with_float32_to_its_rounding(name, policy):
    exact, half = built(name), LAYERS[name]()
    half.dtype_policy = keras.dtype_policies.DTypePolicy(policy)
    half.build((None, 3))
    half.set_weights(exact.get_weights())
    out = half(rows())
    assert out.dtype == half.compute_dtype
    np.testing.assert_allclose(tf.cast(out, tf.float32), exact(rows()), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("thing", EXAMPLES, ids=lambda thing: thing.__name__)
def test_docstring_example_runs(thing):
    code = re.search(r"```python\n(.*?)```", thing.__doc__, re.S).group(1)
    names = {"keras": keras, "tf": tf, **vars(layers), **vars(tfmmd.objectives), **vars(tfmmd.penalties)}
    exec("\n".join(line[8:] for line in code.splitlines()), names)  # noqa: S102
