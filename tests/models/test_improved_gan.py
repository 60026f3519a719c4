"""ImprovedGAN: every switch changes what it should and nothing else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_improved_gan as twin
from tests.harness import assert_same_rows
from tests.systems import CODE, SHAPE, digits
from tfmmd import models, networks, priors


def make(reference_size=0, minibatch_discrimination=False, **kwargs):
    keras.utils.set_random_seed(0)
    reference = None if not reference_size else tf.random.stateless_uniform([reference_size, CODE], [1, 2])
    model = models.ImprovedGAN(
        networks.improved_gan_mnist_generator(CODE, SHAPE, hidden=(16,), reference=reference),
        networks.improved_gan_mnist_critic(
            SHAPE, 1, hidden=(16, 12), minibatch_discrimination=minibatch_discrimination
        ),
        priors.Uniform(CODE, 0.0, 1.0),
        **kwargs,
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    return model


def costs(model, training=False):
    real = tf.constant(digits(16))
    fakes = model.fakes(16, 0, "latent", training)
    return {
        **model.critic_costs(real, fakes, 0, training),
        **model.generator_costs(real, fakes, training),
    }


def test_smoothing_raises_the_critics_target():
    plain, smooth = costs(make(real_target=1.0)), costs(make(real_target=0.75))
    model = make()
    logits = model.critic(digits(16), training=False)
    expected = 0.5 * 0.25 * float(tf.reduce_mean(logits))
    np.testing.assert_allclose(smooth["critic_loss"] - plain["critic_loss"], expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_feature_matching_compares_the_named_layer(norm):
    model = make(feature_layer="features", norm=norm)
    features = keras.Model(model.critic.input, model.critic.get_layer("features").output)
    fake = model.fakes(16, 0, "latent", False)[0]
    expected = twin.feature_matching(features(digits(16)).numpy(), features(fake).numpy(), norm)
    np.testing.assert_allclose(costs(model)["generator_loss"], expected, rtol=1e-4)


def test_history_adds_nothing_in_the_first_step_and_something_later():
    model = make(historical_weight=1.0)
    penalties = [model.train_on_batch(digits(32), return_dict=True)["historical_penalty"] for _ in range(3)]
    assert penalties[0] == 0.0 and penalties[2] > 0.0


def test_history_is_in_the_cost_of_both_players():
    model = make(historical_weight=1.0)
    model.train_on_batch(digits(32))
    for history, network in (
        (model.generator_history, model.generator),
        (model.critic_history, model.critic),
    ):
        assert int(history.count.value) == 1
        assert len(history.averages) == len(network.trainable_variables)
    without = {k: v for k, v in costs(model).items() if k.endswith("loss")}
    assert set(without) == {"critic_loss", "generator_loss"}


def test_history_goes_on_after_saving(tmp_path):
    model = make(historical_weight=1.0)
    model.fit(digits(), batch_size=32, epochs=2, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert int(loaded.critic_history.count.value) == 4
    for a, b in zip(model.critic_history.averages, loaded.critic_history.averages):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("switches", [{"minibatch_discrimination": True}, {"reference_size": 5}], ids=str)
def test_layer_switches_train_and_sample_rows_alone(switches):
    model = make(**switches)
    model.initialize(digits(64))
    history = model.fit(digits(), batch_size=32, verbose=0).history
    assert np.all(np.isfinite(list(history.values())))
    many = model.sample(9, seed=3)
    assert_same_rows(model.sample(2, seed=7), many[4:6])


def test_initialization_gives_normal_features_to_the_critic():
    model = make()
    model.initialize(digits(640))
    features = model.critic(digits(640), training=True).numpy()  # under other noise
    np.testing.assert_allclose([features.mean(), features.std()], [0.0, 1.0], atol=0.3)


def test_labels_are_refused():
    with pytest.raises(ValueError, match="without labels"):
        make().fit(digits(), np.zeros(64, np.int64))


def test_an_unknown_feature_layer_is_answered_with_the_names():
    with pytest.raises(ValueError, match="'features'"):
        make(feature_layer="feature")


@pytest.mark.parametrize("target", [0.0, 1.1, -1.0])
def test_smoothing_outside_of_zero_to_one_is_refused(target):
    with pytest.raises(ValueError, match="real_target"):
        make(real_target=target)
