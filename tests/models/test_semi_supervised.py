"""SemiSupervisedGAN: labels, unlabelled data, averaged parameters, ensembles, bad input."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from tests import reference_improved_gan as twin
from tests.systems import CODE, SHAPE, digits
from tfmmd import data, layers, models, networks, priors

Y = load_digits().target[:64]


def make(hidden=(16, 12), critic_steps=1, minibatch_discrimination=False, rate=1e-3, **kwargs):
    keras.utils.set_random_seed(0)
    model = models.SemiSupervisedGAN(
        networks.improved_gan_mnist_generator(CODE, SHAPE, hidden=(16,)),
        networks.improved_gan_mnist_critic(
            SHAPE, 10, hidden=hidden, minibatch_discrimination=minibatch_discrimination
        ),
        priors.Uniform(CODE, 0.0, 1.0),
        **kwargs,
    )
    model.compile(keras.optimizers.Adam(rate, 0.5), keras.optimizers.Adam(rate, 0.5), critic_steps)
    return model


@pytest.fixture(scope="module")
def fitted():
    model = make()
    model.fit(digits(20), Y[:20], unlabelled=digits(64), batch_size=16, epochs=2, verbose=0)
    return model


def test_costs_are_the_twins(fitted):
    noiseless = make()
    noiseless.critic = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(10)])
    x, u, fake = digits(24)[:8], digits(24)[8:16], digits(24)[16:]
    logits = [noiseless.critic(batch).numpy() for batch in (x, u, fake)]
    costs = noiseless.critic_costs(x, Y[:8], tf.constant(u), tf.constant(fake))
    labelled, unlabelled = twin.labelled_cost(logits[0], Y[:8]), twin.unlabelled_cost(logits[1], logits[2])
    np.testing.assert_allclose(costs["labelled_loss"], labelled, rtol=1e-4)
    np.testing.assert_allclose(costs["unlabelled_loss"], unlabelled, rtol=1e-4)
    np.testing.assert_allclose(costs["critic_loss"], labelled + unlabelled, rtol=1e-4)


def test_unlabelled_weight_weighs_the_unlabelled_terms():
    costs = [
        make(unlabelled_weight=w).critic_costs(
            *(tf.constant(v) for v in (digits(8), Y[:8], digits(8), digits(8)))
        )
        for w in (1.0, 3.0)
    ]
    difference = costs[1]["critic_loss"] - costs[0]["critic_loss"]
    np.testing.assert_allclose(difference, 2.0 * costs[0]["unlabelled_loss"], rtol=1e-4)


def test_an_epoch_passes_once_over_the_unlabelled_rows(fitted):
    assert int(fitted.critic_optimizer.iterations) == int(fitted.generator_optimizer.iterations) == 2 * 4


def test_two_calls_of_fit_equal_one():
    settings = {"unlabelled": digits(64), "batch_size": 16, "verbose": 0}
    once, twice = make(), make()
    once.fit(digits(20), Y[:20], epochs=2, **settings)
    for _ in range(2):
        twice.fit(digits(20), Y[:20], epochs=1, **settings)
    for a, b in zip(once.get_weights(), twice.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_backup_is_restored_before_the_order_of_the_rows(fitted, tmp_path):
    settings = {"unlabelled": digits(64), "batch_size": 16, "verbose": 0}
    backup = keras.callbacks.BackupAndRestore(str(tmp_path), delete_checkpoint=False)
    make().fit(digits(20), Y[:20], epochs=1, callbacks=[backup], **settings)
    restored = make()
    restored.fit(digits(20), Y[:20], epochs=2, callbacks=[backup], **settings)
    for a, b in zip(fitted.get_weights(), restored.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_dataset_trains_as_its_arrays(fitted):
    model = make()
    stream = data.semi_supervised_batches((digits(20), Y[:20]), digits(64), 16, seed=0, num_unlabelled=2)
    model.fit(stream, epochs=2, steps_per_epoch=4, verbose=0)
    for a, b in zip(fitted.get_weights(), model.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_one_unlabelled_stream_serves_both_players():
    stream = data.semi_supervised_batches((digits(20), Y[:20]), digits(64), 16, seed=0)
    history = make().fit(stream, steps_per_epoch=2, verbose=0).history
    assert np.all(np.isfinite(list(history.values())))


def test_several_critic_steps_share_a_batch():
    model = make(critic_steps=2)
    model.fit(digits(20), Y[:20], unlabelled=digits(64), batch_size=16, verbose=0)
    assert int(model.critic_optimizer.iterations) == 2 * int(model.generator_optimizer.iterations) == 8


def test_one_pass_over_the_critic_equals_three_without_noise():
    model = make()
    x, u, v = (tf.constant(digits(24)[i : i + 8]) for i in (0, 8, 16))
    for layer in model.critic.layers:
        if isinstance(layer, layers.GaussianNoise):
            layer.stddev = 0.0
    joint = model._logits_of([x, u, v])
    for together, alone in zip(joint, (x, u, v)):
        np.testing.assert_allclose(together, model.critic(alone, training=True), atol=1e-5)


def test_labelled_batches_of_another_size_go_through_by_themselves():
    model = make()
    logits = model._logits_of([tf.constant(digits(4)), tf.constant(digits(8)), tf.constant(digits(8))])
    assert [tuple(part.shape) for part in logits] == [(4, 10), (8, 10), (8, 10)]


@pytest.mark.parametrize("layer", [layers.MinibatchDiscrimination, keras.layers.BatchNormalization])
def test_layers_inside_of_a_layer_that_couple_rows_see_real_and_fake_apart(layer):
    inner = keras.Sequential([keras.Input((64,)), layer()])
    critic = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), inner, keras.layers.Dense(10, name="features")]
    )
    model = models.SemiSupervisedGAN(make().generator, critic, priors.Uniform(CODE, 0.0, 1.0))
    x, u = tf.constant(digits(16)[:8]), tf.constant(digits(16)[8:])
    for together, alone in zip(
        model._logits_of([x, u]), (critic(x, training=True), critic(u, training=True))
    ):
        np.testing.assert_allclose(together, alone, atol=1e-5)


def test_minibatch_discrimination_sees_real_and_fake_apart():
    model = make(minibatch_discrimination=True, feature_layer=None)
    x = tf.constant(digits(8))
    assert not model._one_pass
    stream = data.semi_supervised_batches((digits(20), Y[:20]), digits(64), 16, seed=0)
    assert np.isfinite(model.fit(stream, steps_per_epoch=2, verbose=0).history["generator_loss"][0])
    assert model._logits_of([x, x, x])[0].shape == (8, 10)


def test_predict_gives_probabilities(fitted):
    probabilities = fitted.predict(digits(9), verbose=0)
    assert probabilities.shape == (9, 10) and probabilities.min() >= 0.0
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-5)


def test_evaluate_gives_the_accuracy_of_predict(fitted):
    accuracy = fitted.evaluate(digits(64), Y, batch_size=10, verbose=0, return_dict=True)["accuracy"]
    right = np.mean(fitted.predict(digits(64), verbose=0).argmax(1) == Y)
    np.testing.assert_allclose(accuracy, right, rtol=1e-6)  # also with a last batch of 4


def test_predict_uses_the_average_of_the_critics_parameters(fitted):
    critic = keras.models.clone_model(fitted.critic)
    critic.set_weights(fitted.critic.get_weights())
    for variable, average in zip(critic.trainable_variables, fitted.average.averages):
        variable.assign(average)
    expected = tf.nn.softmax(critic(digits(9), training=False))
    np.testing.assert_allclose(fitted.predict(digits(9), verbose=0), expected, atol=1e-5)


def test_without_an_average_predict_uses_the_critic():
    model = make(average_decay=None)
    expected = tf.nn.softmax(model.critic(digits(9), training=False))
    np.testing.assert_allclose(model.predict(digits(9), verbose=0), expected, atol=1e-6)


def test_average_follows_the_critic_with_its_bias_corrected():
    model, history = make(average_decay=0.5), []
    for _ in range(3):
        model.train_on_batch(digits(32), Y[:32])
        history.append(model.critic.trainable_variables[0].numpy())
    expected = twin.bias_corrected_average(history, 0.5)
    np.testing.assert_allclose(model.average.averages[0], expected, rtol=1e-4, atol=1e-6)


def test_initialization_starts_the_average_anew():
    model = make()
    model.train_on_batch(digits(32), Y[:32])
    model.initialize(digits(64))
    assert int(model.average.count.value) == 0
    np.testing.assert_array_equal(model.average.averages[1], model.critic.trainable_variables[1])


def test_a_frozen_model_classifies_by_the_averages_too():
    model = make()
    for average in model.average.averages:
        average.assign(average + 0.1)
    before = model(digits(4)).numpy()
    model.trainable = False
    np.testing.assert_allclose(model(digits(4)), before, rtol=1e-6)


def test_layers_are_frozen_before_the_model_is_made():
    model = make()
    model.critic.get_layer("features").trainable = False
    model.compile()
    with pytest.raises(ValueError, match="the variables that it was made for.*make a new model"):
        model.fit(digits(), Y, verbose=0)
    again = models.SemiSupervisedGAN(model.generator, model.critic, model.prior)
    again.compile()
    layers = again.critic.get_layer("features"), again.critic.layers[-1]
    frozen, moving = (layer.get_weights() for layer in layers)
    again.fit(digits(), Y, verbose=0)
    assert all(np.array_equal(*pair) for pair in zip(frozen, layers[0].get_weights()))
    assert not all(np.array_equal(*pair) for pair in zip(moving, layers[1].get_weights()))
    assert again.predict(digits(4), verbose=0).shape == (4, 10)


def test_classify_endpoint_gives_the_probabilities_of_predict(fitted, tmp_path):
    fitted.export(tmp_path / "1")
    classify = tf.saved_model.load(str(tmp_path / "1")).signatures["classify"]
    for rows in (1, 5):
        served = classify(x=tf.constant(digits(rows)))["probabilities"]
        np.testing.assert_allclose(served, fitted.predict(digits(rows), verbose=0), atol=1e-6)


def test_sampling_uses_frozen_statistics(fitted):
    moving = [v.numpy() for v in fitted.generator.non_trainable_variables]
    fitted.sample(8, seed=1)
    for before, after in zip(moving, fitted.generator.non_trainable_variables):
        np.testing.assert_array_equal(before, after)


def test_ensemble_is_the_mean_of_its_members(fitted):
    other = make()
    together = models.average_predictions([fitted, other], digits(9))
    expected = (fitted.predict(digits(9), verbose=0) + other.predict(digits(9), verbose=0)) / 2
    np.testing.assert_allclose(together, expected, atol=1e-6)


@pytest.mark.slow
def test_few_labels_and_many_images_classify_digits():
    all_digits = load_digits()
    x, y = (all_digits.images[..., None] / 16.0).astype(np.float32), all_digits.target
    rows = data.balanced_labels(y[:1400], 5, seed=1)
    model = make(hidden=(250, 250, 125), rate=3e-3, average_decay=0.99)
    model.initialize(x[:500])
    model.fit(x[rows], y[rows], unlabelled=x[:1400], batch_size=50, epochs=40, verbose=0)
    assert model.evaluate(x[1400:], y[1400:], verbose=0, return_dict=True)["accuracy"] > 0.88


# -- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [10, -1])
def test_labels_out_of_range_are_refused(wrong):
    labels = Y.copy()
    labels[3] = wrong
    with pytest.raises(ValueError, match=r"0\.\.9"):
        make().fit(digits(), labels)


@pytest.mark.parametrize("wrong", [-1, 10])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_label_of_a_dataset_out_of_range_ends_training_before_its_step(fitted, wrong, jit_compile):
    y = np.where(np.arange(16) == 3, wrong, Y[:16])
    model = make()
    model.compile(jit_compile=jit_compile)
    before = [v.numpy() for v in model.trainable_variables]
    stream = data.semi_supervised_batches((digits(16), y), digits(16), 16, seed=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Labels must lie in 0\.\.9"):
        model.fit(stream, steps_per_epoch=1, verbose=0)
    for a, b in zip(before, model.trainable_variables):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("wrong", [Y[:8] + 10, Y[:8] - 10, Y[:8] + 0.5, Y[:8].astype(str)])
@pytest.mark.parametrize("held_out", [False, True])
def test_labels_of_an_evaluation_are_checked_first(fitted, wrong, held_out):
    with pytest.raises(ValueError, match="Labels must"):
        if held_out:
            fitted.fit(digits(20), Y[:20], validation_data=(digits(8), wrong), verbose=0)
        else:
            fitted.evaluate(digits(8), wrong, verbose=0)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "uint64"])
def test_labels_may_be_of_any_integer_type(fitted, dtype):
    expected = fitted.evaluate(digits(8), Y[:8], return_dict=True, verbose=0)
    assert fitted.evaluate(digits(8), Y[:8].astype(dtype), return_dict=True, verbose=0) == expected
    make().fit(digits(20), Y[:20].astype(dtype), unlabelled=digits(64), batch_size=16, verbose=0)


def test_labels_may_be_a_list(fitted):
    expected = fitted.evaluate(digits(8), Y[:8], verbose=0)
    assert fitted.evaluate(digits(8), Y[:8].tolist(), verbose=0) == expected


def test_unlabelled_rows_beside_a_dataset_are_refused():
    stream = data.semi_supervised_batches((digits(20), Y[:20]), digits(64), 16, seed=0)
    with pytest.raises(ValueError, match="brings its unlabelled rows"):
        make().fit(stream, unlabelled=digits(64), steps_per_epoch=1, verbose=0)


def test_a_batch_of_no_rows_is_refused():
    with pytest.raises(ValueError, match="batch_size"):
        make().fit(digits(20), Y[:20], batch_size=0, verbose=0)


def test_a_class_without_a_label_is_named():
    rows = np.isin(Y, [3, 7], invert=True)
    with pytest.raises(ValueError, match=r"\[3, 7\]"):
        make().fit(digits()[rows], Y[rows])


def test_missing_labels_are_refused():
    with pytest.raises(ValueError, match="Labels are needed"):
        make().fit(digits())
    with pytest.raises(ValueError, match="Labels are needed"):
        make().evaluate(digits(), verbose=0)


@pytest.mark.parametrize("labels", [np.eye(10)[Y], Y[:5], Y.astype(np.float32)])
def test_labels_of_another_form_are_refused(labels):
    with pytest.raises(ValueError, match="whole number for each row"):
        make().fit(digits(), labels)


@pytest.mark.parametrize("labels", [np.eye(10)[Y], Y[:, None]])
def test_labels_of_another_form_are_refused_in_evaluation_and_batches(labels):
    batches = tf.data.Dataset.from_tensors(((digits(), labels), digits()))
    for refused in (
        lambda: make().evaluate(digits(), labels, verbose=0),
        lambda: make().fit(batches, verbose=0),
    ):
        with pytest.raises(ValueError, match="whole number for each row.*argmax"):
            refused()


def test_labels_beside_unlabelled_rows_are_refused():
    with pytest.raises(ValueError, match="images alone"):
        make().fit(digits(), Y, unlabelled=(digits(), Y))


def test_a_generator_of_batches_is_answered_with_the_dataset_to_make():
    with pytest.raises(ValueError, match="`x` must be an array.*x of generator.*semi_supervised_batches"):
        make().fit((batch for batch in [(digits(), Y)]), verbose=0)


def test_an_unlabelled_stream_of_pairs_is_refused():
    stream = tf.data.Dataset.from_tensor_slices(((digits(), Y), (digits(), Y))).batch(16)
    with pytest.raises(ValueError, match="semi_supervised_batches"):
        make().fit(stream, verbose=0)


def test_an_unknown_feature_layer_is_answered_with_the_names():
    with pytest.raises(ValueError, match="'features'"):
        make(feature_layer="feature")


def test_a_negative_unlabelled_weight_is_refused():
    with pytest.raises(ValueError, match="unlabelled_weight"):
        make(unlabelled_weight=-1.0)


def test_an_ensemble_of_nobody_is_refused():
    with pytest.raises(ValueError, match="at least one model"):
        models.average_predictions([], digits(2))
