"""AAE and the two-player engine: who moves in which step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import harness
from tests.systems import CODE, decoder, digits, encoder
from tfmmd import models, networks, priors
from tfmmd.models.latent_critic import copy_of

PARTS = ("encoder", "decoder", "critic")


def make(kind=models.AAE, **rates):
    """A compiled model whose players learn at the given rates, 0 where left out."""
    keras.utils.set_random_seed(0)
    critic = networks.latent_critic(CODE, hidden=(16,))
    model = kind(encoder(), decoder(), critic, priors.Normal(CODE))
    players = ("generator", "critic", "encoder") if kind is models.AAE else ("generator", "critic")
    model.compile(**{f"{name}_optimizer": keras.optimizers.SGD(1.0) for name in players})
    for name in players:
        getattr(model, f"{name}_optimizer").learning_rate = rates.get(name, 0.0)
    return model


def moved(model):
    """Names of the networks that one training step changes."""
    before = {name: getattr(model, name).get_weights() for name in PARTS}
    model.train_on_batch(digits(16))
    return {
        n for n in PARTS if any(np.any(a != b) for a, b in zip(before[n], getattr(model, n).get_weights()))
    }


def test_the_reconstruction_step_moves_encoder_and_decoder():
    assert moved(make(generator=0.1)) == {"encoder", "decoder"}


@pytest.mark.parametrize("kind", [models.AAE, models.WAEGAN])
def test_the_critic_step_moves_the_critic_alone(kind):
    assert moved(make(kind, critic=0.1)) == {"critic"}


def test_the_adversarial_step_of_aae_leaves_the_decoder():
    assert moved(make(encoder=0.1)) == {"encoder"}


def test_the_generator_step_of_wae_gan_moves_encoder_and_decoder():
    assert moved(make(models.WAEGAN, generator=0.1)) == {"encoder", "decoder"}


def test_the_encoder_optimizer_of_aae_copies_the_critics_settings():
    model = make()
    model.compile("adam", keras.optimizers.SGD(0.1, momentum=0.1))
    assert model.encoder_optimizer is not model.critic_optimizer
    assert model.encoder_optimizer.get_config()["momentum"] == 0.1


def test_a_copied_optimizer_keeps_its_schedule():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    copied = copy_of(keras.optimizers.Adam(schedule))
    assert isinstance(copied._learning_rate, keras.optimizers.schedules.CosineDecay)


@pytest.mark.parametrize("kind", [models.AAE, models.WAEGAN])
def test_one_optimizer_for_two_players_is_refused(kind):
    optimizer = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="optimizer of its own"):
        make(kind).compile(optimizer, optimizer)


def test_the_encoder_of_aae_cannot_share_an_optimizer():
    optimizer = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="generator_optimizer and encoder_optimizer"):
        make().compile(optimizer, "adam", encoder_optimizer=optimizer)


@pytest.mark.parametrize("kind", [models.AAE, models.WAEGAN])
def test_a_learning_rate_of_zero_is_refused(kind):
    with pytest.raises(ValueError, match="critic_optimizer.learning_rate"):
        make(kind).compile("adam", keras.optimizers.Adam(0.0))


@pytest.mark.parametrize("kind", [models.AAE, models.WAEGAN])
def test_evaluate_leaves_the_critics_statistics_and_drops_nothing(kind):
    layers = [keras.Input([CODE]), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    critic = keras.Sequential([*layers, keras.layers.Dense(1)])
    model = kind(encoder(), decoder(), critic, priors.Normal(CODE))
    model.compile()
    before = critic.get_weights()
    scores = [model.evaluate(digits(32), batch_size=16, verbose=0, return_dict=True) for _ in range(2)]
    assert scores[0] == scores[1] and scores[0]["critic_loss"] > 0
    harness.assert_close(critic.get_weights(), before, 0.0)


def test_the_critic_loss_of_an_undecided_critic_is_twice_log_two():
    model = make()
    model.critic.set_weights([np.zeros_like(w) for w in model.critic.get_weights()])
    costs = model.critic_costs(tf.random.stateless_normal([8, CODE], [1, 2]), 0, 0, True)
    np.testing.assert_allclose(costs["critic_loss"], 2 * np.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(model.adversarial_cost(tf.zeros([8, CODE]), False), np.log(2.0), rtol=1e-6)


def test_every_critic_turn_draws_other_prior_samples():
    model, codes = make(), tf.zeros([8, CODE])
    first, second = (model.critic_costs(codes, 3, turn, True)["critic_loss"] for turn in (0, 1))
    assert first != second


def test_critic_steps_counts_the_critics_updates():
    model = make()
    model.compile("sgd", "sgd", critic_steps=3)
    model.fit(digits(32), batch_size=16, verbose=0)
    assert int(model.critic_optimizer.iterations) == 6 and int(model.generator_optimizer.iterations) == 2


def test_training_of_aae_brings_the_codes_nearer_to_the_prior():
    keras.utils.set_random_seed(0)
    critic = networks.latent_critic(CODE, hidden=(64, 64))
    model = models.AAE(encoder(), decoder(), critic, priors.Normal(CODE))
    kernel, x = models.latent_kernel(model.prior), digits(512)
    adam = {
        f"{name}_optimizer": keras.optimizers.Adam(2e-3, beta_1=0.5)
        for name in ("generator", "critic", "encoder")
    }
    model.compile(**adam)
    model.fit(x, batch_size=64, epochs=40, verbose=0)
    codes = model.encode(x)
    assert np.all(np.abs(np.mean(codes, 0)) < 0.5) and np.all(np.abs(np.std(codes, 0) - 1) < 0.5), kernel


@pytest.mark.parametrize("kind", [models.AAE, models.WAEGAN])
def test_a_critic_that_gives_no_single_logit_is_refused(kind):
    with pytest.raises(ValueError, match=r"one logit per code"):
        kind(encoder(), decoder(), networks.mlp(CODE, (4,), 2), priors.Normal(CODE))


@pytest.mark.parametrize("kind", [models.AAE, models.WAEGAN])
def test_a_critic_of_another_code_size_is_refused(kind):
    with pytest.raises(ValueError, match="prior's size"):
        kind(encoder(), decoder(), networks.latent_critic(CODE + 1, hidden=(4,)), priors.Normal(CODE))
