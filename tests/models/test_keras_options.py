"""What users of Keras hand to `compile`, `fit` and `evaluate`, parametrised over the list of all systems."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.systems import CODE, SHAPE, SYSTEMS, compile_one, compile_two, digits
from tfmmd import models, priors, seeds

ALL = pytest.mark.parametrize("name", SYSTEMS)
TWO = [name for name, system in SYSTEMS.items() if system.compile is compile_two]


def build(name, make_optimizer):
    keras.utils.set_random_seed(0)
    model = SYSTEMS[name].build()
    optimizers = {key: make_optimizer() for key in model.compile_names if key.endswith("optimizer")}
    model.compile(**optimizers, **({"critic_steps": 1} if name in TWO else {}), run_eagerly=True)
    return model


@functools.cache
def untrained(name):
    return build(name, keras.optimizers.SGD)


# -- optimizers ----------------------------------------------------------------------------------------------


@ALL
def test_every_batch_has_its_own_noise_where_gradients_are_accumulated(name, monkeypatch):
    model = build(name, lambda: keras.optimizers.SGD(1e-3, gradient_accumulation_steps=4))
    drawn, pair = [], seeds.pair

    def recorded(seed, step, role):
        drawn.append((int(seed), int(np.asarray(step)), role))
        return pair(seed, step, role)

    monkeypatch.setattr(seeds, "pair", recorded)
    batch = digits(16), *SYSTEMS[name].labels(16)
    model.train_on_batch(*batch)
    first = tuple(drawn)
    model.train_on_batch(*batch)
    assert first and set(first).isdisjoint(drawn[len(first) :])


@pytest.mark.parametrize("name", TWO)
def test_training_of_two_players_ends_on_the_averages_of_use_ema(name):
    model = build(name, lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append([v.numpy() for v in model.trainable_variables])
    )
    model.fit(digits(48), *SYSTEMS[name].labels(48), batch_size=16, callbacks=[record], verbose=0)
    assert len(seen) == 3
    for variable, a, b, c in zip(model.trainable_variables, *seen):
        np.testing.assert_allclose(variable, 0.25 * a + 0.25 * b + 0.5 * c, rtol=1e-4, atol=1e-6)


def test_players_that_took_no_step_keep_their_weights():
    model = build("cramer-gan", lambda: keras.optimizers.SGD(0.1, use_ema=True))
    before = model.get_weights()
    model.fit(digits(), epochs=0, verbose=0)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


# -- data ----------------------------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_a_list_is_refused_for_an_array(name, method):
    with pytest.raises(ValueError, match="`x` must be an array.*x of list"):
        getattr(untrained(name), method)(list(digits(16)), *SYSTEMS[name].labels(16), verbose=0)


@ALL
@pytest.mark.parametrize("method", ["fit", "evaluate"])
@pytest.mark.parametrize("option", [{"sample_weight": np.ones(64)}, {"class_weight": {0: 2.0}}], ids=str)
def test_weights_of_rows_are_refused(name, method, option):
    with pytest.raises(ValueError, match=f"Rows count equally.*{next(iter(option))}"):
        getattr(untrained(name), method)(digits(), *SYSTEMS[name].labels(), verbose=0, **option)


@ALL
def test_weights_in_a_dataset_are_refused(name):
    rows = digits(16), np.arange(16) % 10, np.ones(16, np.float32)
    with pytest.raises(ValueError, match="Rows count equally"):
        untrained(name).evaluate(tf.data.Dataset.from_tensor_slices(rows).batch(8), verbose=0)


@ALL
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_a_dataset_of_dicts_is_answered_with_the_way_to_the_images(name, method):
    rows = tf.data.Dataset.from_tensor_slices({"image": digits(), "label": np.arange(64)}).batch(16)
    with pytest.raises(ValueError, match=r"'image', 'label'.*row\['image'\]"):
        getattr(untrained(name), method)(rows, verbose=0)


@ALL
@pytest.mark.parametrize("source", [lambda x: x, lambda x: tf.data.Dataset.from_tensors((x, x))])
def test_validation_data_of_another_shape_are_refused_before_training(name, source):
    model = untrained(name)
    before = [v.numpy() for v in model.trainable_variables]
    with pytest.raises(ValueError, match=r"shape of the samples.*x.shape=\(64, 7, 8, 1\)"):
        held_out = source(digits()[:, :7])
        model.fit(digits(), *SYSTEMS[name].labels(), validation_data=held_out, verbose=0)
    for a, b in zip(before, model.trainable_variables):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", TWO)
def test_single_examples_for_batches_are_refused(name):
    singles = tf.data.Dataset.from_tensor_slices((digits(), np.arange(64) % 10))
    with pytest.raises(ValueError, match=r"shape of the samples.*x.shape=\(8, 8, 1\)"):
        untrained(name).fit(singles, verbose=0)


# -- networks ------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class OwnNetwork(keras.Model):
    """A generator that writes its own `call`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.Sequential([keras.layers.Dense(64, "sigmoid"), keras.layers.Reshape(SHAPE)])

    def call(self, x):
        return self.inner(x)


def test_a_network_that_does_not_know_its_shapes_is_answered_with_the_way_to_wrap_it():
    network = OwnNetwork()
    network(np.zeros((2, CODE), np.float32))
    with pytest.raises(ValueError, match="`generator` must know its shapes.*Wrap it: inputs = keras.Input"):
        models.GMMN(network, priors.Uniform(CODE))


def test_a_wrapped_network_of_ones_own_trains_and_is_saved(tmp_path):
    inputs = keras.Input((CODE,))
    model = models.GMMN(keras.Model(inputs, OwnNetwork()(inputs)), priors.Uniform(CODE))
    compile_one(model)
    model.fit(digits(), batch_size=32, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.sample(4, seed=1), model.sample(4, seed=1))
