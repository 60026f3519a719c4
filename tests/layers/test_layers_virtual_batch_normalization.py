"""Virtual batch normalisation: statistics of every example, independence, the saved reference."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_improved_gan as twin
from tfmmd import layers, models, priors

SHAPES = pytest.mark.parametrize("shape", [(3,), (5, 3), (4, 4, 3)], ids=str)


def normal(*shape, seed=1, shift=0.0):
    return tf.random.stateless_normal(shape, [seed, 9]) * 2.0 + shift


def make(size=6, **kwargs):
    layer = layers.VirtualBatchNormalization(size, **kwargs)
    layer.build((None, 3))
    layer.scale.assign([0.5, 1.0, 2.0])
    layer.offset.assign([0.1, 0.0, -0.1])
    return layer


@SHAPES
def test_examples_are_normalised_as_the_twins(shape):
    layer, reference, x = make(), normal(6, *shape), normal(4, *shape, seed=2, shift=1.0)
    out = layer(tf.concat([reference, x], 0))[6:]
    settings = (layer.scale.numpy(), layer.offset.numpy(), layer.epsilon)
    expected = twin.virtual_batch_norm(x.numpy(), reference.numpy(), *settings)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


@SHAPES
def test_the_reference_is_normalised_by_its_own_statistics(shape):
    layer, reference = make(), normal(6, *shape, shift=5.0)
    layer.scale.assign(tf.ones(3)), layer.offset.assign(tf.zeros(3))
    out = layer(tf.concat([reference, normal(2, *shape)], 0))[:6].numpy().reshape(-1, 3)
    np.testing.assert_allclose([out.mean(0), out.std(0)], [np.zeros(3), np.ones(3)], atol=1e-4)


@SHAPES
def test_an_example_does_not_see_the_others(shape):
    layer, reference, x = make(), normal(6, *shape), normal(4, *shape, seed=2)
    together = layer(tf.concat([reference, x], 0))[6:]
    alone = layer(tf.concat([reference, x[2:3]], 0))[6:]
    np.testing.assert_array_equal(together[2], alone[0])


def test_training_changes_nothing():
    layer, x = make(), normal(8, 3)
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))


def test_a_large_reference_gives_its_frozen_batch_norm():
    layer, reference, x = make(5000), normal(5000, 3), normal(4, 3, seed=2)
    mean, variance = tf.nn.moments(reference, [0])
    frozen = layer.scale * (x - mean) / tf.sqrt(variance + layer.epsilon) + layer.offset
    np.testing.assert_allclose(
        layer(tf.concat([reference, x], 0))[5000:], frozen, atol=5e-3
    )  # weight 1 / 5001


def test_variance_stays_positive_far_from_the_origin():
    x = normal(8, 3) * 1e-3 + 1e4
    assert np.all(np.isfinite(make()(x)))


def test_gradients_flow_through_the_reference():
    layer, reference, x = make(), normal(6, 3), normal(2, 3, seed=2)
    with tf.GradientTape() as tape:
        tape.watch(reference)
        cost = tf.reduce_sum(tf.square(layer(tf.concat([reference, x], 0))[6:]))
    assert np.all(np.abs(tape.gradient(cost, reference)) > 0.0)


def network(reference):
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.ReferenceBatch(reference),
            keras.layers.Dense(3),
            make(),
            layers.DropReference(6),
        ]
    )


def test_reference_is_saved_with_the_model(tmp_path):
    model = network(normal(6, 3))
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.layers[0].reference, normal(6, 3))
    np.testing.assert_array_equal(again(normal(4, 3)), model(normal(4, 3)))


def test_reference_is_not_trained():
    assert not network(normal(6, 3)).layers[0].trainable_variables


def test_a_clone_without_weights_says_that_its_reference_is_missing():
    clone = keras.models.clone_model(network(normal(6, 3)))
    with pytest.raises(ValueError, match="no reference yet"):
        clone(normal(4, 3))


def test_a_clone_with_weights_equals_its_model():
    model = network(normal(6, 3))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(normal(4, 3)), model(normal(4, 3)))


def test_a_new_reference_replaces_the_old_one():
    model = network(normal(6, 3))
    model.layers[0].set_reference(normal(6, 3, seed=8))
    np.testing.assert_array_equal(model.layers[0].reference, normal(6, 3, seed=8))


@pytest.mark.parametrize(
    "reference", [None, np.ones(3), np.ones((1, 3)), np.full((4, 3), np.nan), np.zeros((4, 3))]
)
def test_a_missing_small_or_broken_reference_is_refused(reference):
    with pytest.raises(ValueError, match="reference"):
        layers.ReferenceBatch(reference)


def test_a_reference_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="shape of the layer's input"):
        layers.ReferenceBatch(normal(6, 4))(normal(2, 3))


def test_a_batch_without_its_reference_is_refused():
    with pytest.raises(ValueError, match="at least 6 rows"):
        make()(normal(4, 3))


@pytest.mark.parametrize("sizes", [(4, 6, 6), (6, 4, 6), (6, 6, 4)], ids=str)
def test_layers_of_one_reference_must_agree_on_its_size(sizes):
    given, normalised, dropped = sizes
    with pytest.raises(ValueError, match=f"reference_size=.* of {given} rows"):
        keras.Sequential(
            [
                keras.Input((3,)),
                layers.ReferenceBatch(normal(given, 3)),
                keras.layers.Dense(3),
                layers.VirtualBatchNormalization(normalised),
                layers.DropReference(dropped),
            ]
        )


def test_a_second_reference_may_be_of_another_size():
    x = keras.Input((3,))
    for size in (6, 4):
        x_with = layers.ReferenceBatch(normal(size, 3))(x)
        x = layers.DropReference(size)(layers.VirtualBatchNormalization(size)(x_with))
    assert x.shape == (None, 3)


def test_a_generator_without_a_reference_is_refused():
    layer = keras.Sequential([keras.Input((4,)), layers.VirtualBatchNormalization(6)])
    with pytest.raises(ValueError, match="needs a reference batch"):
        models.GMMN(layer, priors.Uniform(4))
