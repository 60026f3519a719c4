"""The engine of two players: order of steps, fresh data, clipping, moving average, saving, refusals."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.systems import CODE, SHAPE, SYSTEMS, dense_critic, digits, generator
from tfmmd import data, models, networks, objectives, penalties, priors
from tfmmd.models import players

SGD = keras.optimizers.SGD


def small(**kwargs):
    """A small Wasserstein game without penalty."""
    keras.utils.set_random_seed(0)
    return models.AdversarialModel(
        generator(), dense_critic(1), priors.Uniform(CODE), objective=objectives.Wasserstein(), **kwargs
    )


def compiled(model, critic_steps=1, rate=0.1, **kwargs):
    model.compile(
        generator_optimizer=SGD(rate), critic_optimizer=SGD(rate), critic_steps=critic_steps, **kwargs
    )
    return model


def counts(model):
    """(generator steps, critic steps) so far."""
    return int(model.generator_optimizer.iterations), int(model.critic_optimizer.iterations)


def changed(before, variables):
    return any(not np.array_equal(a, b) for a, b in zip(before, [v.numpy() for v in variables]))


# -- the bilinear game: critic f(x) = w x, generator g = theta -----------------------------------------------


def check_same(weights, others):
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def bilinear(theta, w, rate):
    """The Wasserstein game of one number against another, `SHAPE` (1,)."""
    made = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(0.0), keras.layers.Dense(1)])
    made.layers[-1].set_weights([np.zeros((1, 1)), np.full(1, theta)])
    critic = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    critic.set_weights([np.full((1, 1), w)])
    game = models.AdversarialModel(made, critic, priors.Normal(1), objective=objectives.Wasserstein())
    return compiled(game, critic_steps=2, rate=rate)


def test_players_take_turns_and_each_critic_step_sees_its_own_rows():
    model = bilinear(theta=3.0, w=0.5, rate=0.1)
    model.fit(
        np.array([[1.0], [2.0], [4.0], [3.0], [4.0], [8.0]], np.float32),
        batch_size=6,
        shuffle=False,
        verbose=0,
    )
    w = 0.5 - 0.1 * (3.0 - 2.0)  # step 1: rows 0 and 3, mean 2
    w = w - 0.1 * (3.0 - 3.0)  # step 2: rows 1 and 4, mean 3
    np.testing.assert_allclose(model.critic.get_weights()[0], [[w]], rtol=1e-6)
    np.testing.assert_allclose(model.generator.layers[-1].bias, [3.0 + 0.1 * w], rtol=1e-6)


def test_alternating_steps_of_the_bilinear_game_stay_on_their_ellipse():
    model, rate = bilinear(theta=1.0, w=0.0, rate=0.1), 0.1
    model.compile(generator_optimizer=SGD(rate), critic_optimizer=SGD(rate), critic_steps=1)
    model.fit(np.zeros((400, 1), np.float32), batch_size=4, verbose=0)
    w, theta = float(model.critic.get_weights()[0][0, 0]), float(model.generator.layers[-1].bias[0])
    np.testing.assert_allclose(w**2 + theta**2 - rate * w * theta, 1.0, rtol=1e-4)  # an invariant of the map


def test_gradient_penalty_makes_the_dirac_game_converge():
    made = bilinear(theta=1.0, w=0.5, rate=0.1)
    penalized = models.AdversarialModel(
        made.generator,
        made.critic,
        priors.Normal(1),
        objective=objectives.Wasserstein(),
        penalties=[penalties.GradientNorm(1.0, target=0.0)],
    )
    compiled(penalized, rate=0.1).fit(np.zeros((800, 1), np.float32), batch_size=4, verbose=0)
    assert abs(float(made.generator.layers[-1].bias[0])) < 0.02


# -- steps and data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("critic_steps", [1, 2, 3])
def test_every_batch_is_critic_steps_and_one_generator_step(critic_steps):
    model = compiled(small(), critic_steps)
    model.fit(digits(48), batch_size=4 * (critic_steps + 1), epochs=2, verbose=0)
    batches = 2 * (48 // (4 * (critic_steps + 1)))
    assert counts(model) == (batches, batches * critic_steps)


def test_no_row_is_dealt_twice():
    parts = players.split(tf.range(12), 3)
    assert [list(part.numpy()) for part in parts] == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]


def test_labels_are_dealt_along():
    parts = players.split((tf.range(4), tf.range(4) * 10, None), 2)
    assert all(np.array_equal(y, x * 10) and none is None for x, y, none in parts)


def test_rows_left_over_are_dropped_where_the_batch_is_not_known():
    deal = tf.function(lambda x: players.deal(x, 3), input_signature=[tf.TensorSpec([None])])
    assert [len(part) for part in deal(tf.range(8.0))] == [2, 2, 2]


def test_a_last_batch_too_small_for_all_steps_is_an_error():
    deal = tf.function(lambda x: players.deal(x, 3), input_signature=[tf.TensorSpec([None])])
    with pytest.raises(tf.errors.InvalidArgumentError, match="drop the last, smaller batch"):
        deal(tf.range(5.0))


def test_a_dataset_trains_as_the_same_array():
    data = tf.data.Dataset.from_tensor_slices(digits(32)).batch(8, drop_remainder=True)
    by_dataset, by_array = compiled(small()), compiled(small())
    by_dataset.fit(data, verbose=0)
    by_array.fit(digits(32), batch_size=8, shuffle=False, verbose=0)
    for a, b in zip(by_dataset.get_weights(), by_array.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_the_order_of_an_array_is_that_of_one_device_under_a_strategy():
    weights = []
    for strategy in (tf.distribute.get_strategy(), tf.distribute.OneDeviceStrategy("CPU:0")):
        with strategy.scope():
            model = compiled(small())
        model.fit(digits(32), batch_size=8, epochs=2, verbose=0)
        weights.append(model.get_weights())
    check_same(*weights)


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_array_trains_as_the_stream_of_its_rows(shuffle):
    by_stream, by_array = compiled(small()), compiled(small())
    stream = data.batches(digits(32), 8, seed=0, shuffle=shuffle)
    by_stream.fit(stream, epochs=2, steps_per_epoch=4, verbose=0)
    by_array.fit(digits(32), batch_size=8, epochs=2, shuffle=shuffle, verbose=0)
    check_same(by_stream.get_weights(), by_array.get_weights())


def test_the_order_goes_on_after_a_backup(tmp_path):
    backup = keras.callbacks.BackupAndRestore(str(tmp_path), delete_checkpoint=False)
    once, stopped, restored = (compiled(small()) for _ in range(3))
    once.fit(digits(32), batch_size=8, epochs=2, verbose=0)
    stopped.fit(digits(32), batch_size=8, epochs=1, callbacks=[backup], verbose=0)
    restored.fit(digits(32), batch_size=8, epochs=2, callbacks=[backup], verbose=0)
    check_same(once.get_weights(), restored.get_weights())


@pytest.mark.parametrize("initial_critic_steps", [0, 3])
def test_two_calls_of_fit_with_an_array_equal_one(initial_critic_steps):
    once, twice = (compiled(small(), initial_critic_steps=initial_critic_steps) for _ in range(2))
    once.fit(digits(32), batch_size=8, epochs=2, verbose=0)
    for _ in range(2):
        twice.fit(digits(32), batch_size=8, epochs=1, verbose=0)
    check_same(once.get_weights(), twice.get_weights())


def test_no_batch_size_takes_64_rows_a_step_or_what_there_is():
    assert players.batch_rows(10_000, None, 5, 64) == 384
    assert players.batch_rows(100, None, 5, 64) == 96


def test_players_draw_different_noise():
    model = small()
    first = model.fakes(4, 0, "latent", training=True)[0]
    assert not np.array_equal(first, model.fakes(4, 0, "critic_latent", training=True)[0])
    assert not np.array_equal(first, model.fakes(4, 1, "latent", training=True)[0])


def test_logs_name_each_player():
    logs = compiled(small()).fit(digits(16), batch_size=8, verbose=0).history
    assert set(logs) == {"generator_loss", "critic_loss", "penalty"}


def test_a_gan_reports_the_penalties_that_it_is_given():
    norm = penalties.GradientNorm(10.0)
    model = compiled(models.GAN(generator(), dense_critic(1), priors.Uniform(CODE), penalties=[norm]))
    assert model.fit(digits(16), batch_size=8, verbose=0).history["penalty"][0] > 0


# -- initial critic steps ------------------------------------------------------------------------------------


def test_critic_leads_alone_for_its_initial_steps():
    model = compiled(small(), critic_steps=1, initial_critic_steps=5)
    before = [v.numpy() for v in model.generator.weights]
    model.fit(digits(24), batch_size=8, verbose=0)  # 3 batches of 2 critic steps
    assert counts(model) == (0, 6) and not changed(before, model.generator.weights)
    model.fit(digits(24), batch_size=8, verbose=0)
    assert counts(model) == (3, 9) and changed(before, model.generator.weights)


def test_a_loaded_model_does_not_lead_again(tmp_path):
    model = compiled(small(), initial_critic_steps=2)
    model.fit(digits(16), batch_size=8, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    loaded.fit(digits(8), batch_size=8, verbose=0)
    assert counts(loaded) == (2, 4)


# -- clipping and penalties ----------------------------------------------------------------------------------


def test_gradients_are_clipped_for_each_variable():
    model = compiled(small(), rate=1.0, clip_norm=1e-3)
    before = [v.numpy() for v in model.critic.trainable_variables]
    model.fit(digits(8), batch_size=8, verbose=0)
    moves = [np.linalg.norm(a - v.numpy()) for a, v in zip(before, model.critic.trainable_variables)]
    assert max(moves) <= 1.001e-3 and np.isclose(max(moves), 1e-3, rtol=1e-3)


def test_weights_are_clipped_after_each_critic_step():
    model = compiled(small(penalties=[penalties.WeightClip(0.01)]))
    model.fit(digits(8), batch_size=8, verbose=0)
    assert max(np.abs(v.numpy()).max() for v in model.critic.trainable_variables) <= 0.01


def test_penalty_is_part_of_the_critics_loss():
    model = compiled(small(penalties=[penalties.GradientNorm(10.0)]))
    real, fakes = tf.constant(digits(8)), model.fakes(8, 0, "latent", training=False)
    costs = model.critic_costs(real, fakes, 0, training=False)
    plain = objectives.Wasserstein().critic_cost(model.critic(real), model.critic(fakes[0]))
    np.testing.assert_allclose(costs["critic_loss"] - costs["penalty"], plain, rtol=1e-5)
    assert costs["penalty"] > 0


# -- moving average ------------------------------------------------------------------------------------------


def test_moving_average_follows_the_generator():
    model = compiled(small(generator_ema=0.75))
    before = [v.numpy() for v in model.generator.weights]
    model.fit(digits(8), batch_size=8, verbose=0)
    for old, new, mean in zip(before, model.generator.weights, model.average.weights):
        np.testing.assert_allclose(mean, 0.75 * old + 0.25 * new.numpy(), rtol=1e-5, atol=1e-7)


def test_moving_average_takes_batch_norm_statistics_over():
    made = networks.dcgan_generator(CODE, SHAPE, filters=4, num_stages=2)
    model = models.AdversarialModel(
        made, dense_critic(1), priors.Uniform(CODE), objective=objectives.Wasserstein(), generator_ema=0.9
    )
    compiled(model).fit(digits(8), batch_size=8, verbose=0)
    means = {v.path: v.numpy() for v in model.average.weights}
    for variable in made.non_trainable_weights:
        np.testing.assert_array_equal(means[variable.path], variable.numpy())


def test_samples_predictions_and_export_come_from_the_average(tmp_path):
    model = compiled(small(generator_ema=0.5))
    model.fit(digits(16), batch_size=8, verbose=0)
    latent = np.random.default_rng(0).uniform(-1, 1, (3, CODE)).astype(np.float32)
    of_average = model.average(latent)
    assert not np.allclose(of_average, model.generator(latent), atol=1e-6)
    np.testing.assert_allclose(model.predict(latent, verbose=0), of_average, atol=1e-6)
    np.testing.assert_allclose(model.decode(latent), of_average, atol=1e-6)
    model.export(tmp_path / "1")
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["decode"](latent=tf.constant(latent))
    np.testing.assert_allclose(served["samples"], of_average, atol=1e-6)


def test_moving_average_is_saved(tmp_path):
    model = compiled(small(generator_ema=0.5))
    model.fit(digits(16), batch_size=8, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    for a, b in zip(loaded.average.get_weights(), model.average.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert loaded.generator_ema == 0.5


# -- saving --------------------------------------------------------------------------------------------------


def test_objective_penalties_and_compile_settings_survive_saving(tmp_path):
    model = small(penalties=[penalties.GradientNorm(3.0), penalties.ActivationL2(0.5)])
    compiled(model, critic_steps=2, rate=0.25, clip_norm=0.5, initial_critic_steps=7).save(
        tmp_path / "m.keras"
    )
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert repr((loaded.objective, loaded.penalties)) == repr((model.objective, model.penalties))
    assert (loaded.critic_steps, loaded.clip_norm, loaded.initial_critic_steps) == (2, 0.5, 7)
    assert float(loaded.critic_optimizer.learning_rate) == 0.25


def test_generator_with_batch_norm_samples_with_frozen_statistics():
    made = networks.dcgan_generator(CODE, SHAPE, filters=4, num_stages=2)
    model = models.GAN(made, dense_critic(1), priors.Uniform(CODE))
    before = [v.numpy() for v in made.weights]
    alone, among = model.sample(1, seed=5), model.sample(9, seed=5)
    np.testing.assert_array_equal(alone[0], among[0])
    assert not changed(before, made.weights)


# -- refusals ------------------------------------------------------------------------------------------------


def batch_norm_critic(output_size=1):
    return networks.dcgan_critic(SHAPE, output_size, filters=4, num_stages=2, batch_norm=True)


@pytest.mark.parametrize("make", [models.WGANGP, models.MMDGAN, models.CramerGAN])
def test_batch_norm_in_a_penalised_critic_is_refused_unless_asked_for(make):
    with pytest.raises(ValueError, match="without batch norm.*allow_batch_norm=True"):
        make(generator(), batch_norm_critic(), priors.Uniform(CODE))
    make(generator(), batch_norm_critic(), priors.Uniform(CODE), allow_batch_norm=True)


def test_batch_norm_in_a_nested_critic_is_found():
    nested = keras.Sequential([keras.Input(SHAPE), batch_norm_critic()])
    with pytest.raises(ValueError, match="batch norm"):
        models.WGANGP(generator(), nested, priors.Uniform(CODE))


def test_minibatch_discrimination_in_a_penalised_critic_is_refused():
    critic = networks.improved_gan_mnist_critic(SHAPE, 1, hidden=(8,), minibatch_discrimination=True)
    with pytest.raises(ValueError, match="minibatch discrimination.*MinibatchDiscrimination"):
        models.WGANGP(generator(), critic, priors.Uniform(CODE))


def test_batch_norm_is_welcome_without_a_penalty():
    models.GAN(generator(), batch_norm_critic(), priors.Uniform(CODE))


@pytest.mark.parametrize("batch_size", [1, 7, 9])
def test_batch_that_the_steps_cannot_share_is_refused(batch_size):
    model = compiled(small(), critic_steps=1)
    with pytest.raises(ValueError, match=r"2 \* b rows.*critic_steps=1.*batch_size="):
        model.fit(digits(32), batch_size=batch_size, verbose=0)


def test_dataset_that_the_steps_cannot_share_is_refused_before_training():
    data = tf.data.Dataset.from_tensor_slices(digits(32)).batch(8, drop_remainder=True)
    with pytest.raises(ValueError, match="8 rows with critic_steps=2"):
        compiled(small(), critic_steps=2).fit(data, verbose=0)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="at least 12 samples"):
        compiled(small(), critic_steps=5).fit(digits(11), verbose=0)


@pytest.mark.parametrize("make", [models.GAN, models.WGANGP])
def test_wide_critic_is_refused_where_one_number_is_needed(make):
    with pytest.raises(ValueError, match=r"critic outputs \[b, 1\]"):
        make(generator(), dense_critic(4), priors.Uniform(CODE))


def test_critic_of_another_sample_shape_is_refused():
    critic = networks.mlp((7, 7, 1), (4,), 1)
    with pytest.raises(ValueError, match="generator.output_shape"):
        models.GAN(generator(), critic, priors.Uniform(CODE))


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_learning_rate_of_zero_is_refused(rate):
    with pytest.raises(ValueError, match="critic_optimizer.learning_rate"):
        small().compile(generator_optimizer=SGD(0.1), critic_optimizer=SGD(rate))


def test_one_optimizer_for_both_players_is_refused():
    shared = SGD(0.1)
    with pytest.raises(ValueError, match="Make two"):
        small().compile(generator_optimizer=shared, critic_optimizer=shared)


@pytest.mark.parametrize("critic_steps", [0, -1, 1.5])
def test_critic_steps_must_be_a_positive_whole_number(critic_steps):
    with pytest.raises(ValueError, match="critic_steps"):
        compiled(small(), critic_steps)


@pytest.mark.parametrize("decay", [1.0, -0.1, 2.0])
def test_decay_outside_of_0_to_1_is_refused(decay):
    with pytest.raises(ValueError, match="generator_ema"):
        small(generator_ema=decay)


@pytest.mark.parametrize("name", ["gan", "semi-supervised"])
def test_validation_split_is_refused_by_name(name):
    model = SYSTEMS[name].build()
    SYSTEMS[name].compile(model)
    with pytest.raises(ValueError, match="`validation_split` is not taken.*validation_data=held_out"):
        model.fit(digits(), *SYSTEMS[name].labels(), validation_split=0.2, verbose=0)
