"""The generative auto-encoder as a model: identities, the stored mixture, bad input."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference_gae
from tests.systems import CODE, SHAPE, decoder, digits, encoder
from tfmmd import data, models, priors, seeds

ROWS = 64


def gae(**options):
    keras.utils.set_random_seed(0)
    model = models.GAE(encoder(2 * CODE), decoder(), **options)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    return model


def stored(**options):
    model = gae(**options)
    model.store_codes(digits(ROWS))
    return model


def costs(model, x=None, step=5):
    x = tf.constant(digits(16) if x is None else x)
    return {name: float(v) for name, v in model.train_costs(x, tf.constant(step, tf.int64), True).items()}


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
def test_a_dataset_of_any_dtype_is_stored(dtype):
    model, rows = gae(), np.round(digits(ROWS)).astype(dtype)
    model.store_codes(tf.data.Dataset.from_tensor_slices(rows).batch(16), warn=False)
    streamed = np.asarray(model.code_means)
    model.store_codes(np.float32(rows), warn=False)
    np.testing.assert_allclose(streamed, np.asarray(model.code_means), atol=1e-6)


# -- what it computes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["self", "path"])
def test_self_bound_at_half_lambdas_is_the_bound_of_a_vae_less_log_n(objective):
    model = gae(objective=objective, num_components=ROWS, warmup_epochs=2, seed=3)  # step 1 is in the warm-up
    vae = models.VAE(model.encoder, model.decoder, seed=3)
    np.testing.assert_allclose(
        costs(model, step=1)["loss"], costs(vae, step=1)["loss"] + np.log(ROWS), rtol=1e-5
    )


@pytest.mark.parametrize("objective", ["self", "path", "aggregate"])
def test_the_first_update_of_the_warm_up_is_that_of_a_vae(objective):
    model = gae(objective=objective, num_components=ROWS)
    vae = models.VAE(keras.models.clone_model(model.encoder), keras.models.clone_model(model.decoder))
    vae.encoder.set_weights(model.encoder.get_weights())
    vae.decoder.set_weights(model.decoder.get_weights())
    vae.compile(optimizer=keras.optimizers.SGD(0.01))
    model.compile(optimizer=keras.optimizers.SGD(0.01))
    for trained in (vae, model):
        trained.train_on_batch(digits(16))
    pairs = zip(model.trainable_variables, vae.trainable_variables)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_warm_up_ends_after_its_epochs():
    model, cold = (gae(objective="path", num_components=ROWS, warmup_epochs=w) for w in (2, 0))
    own = gae(num_components=ROWS)
    assert costs(model, step=7)["loss"] == costs(own, step=7)["loss"]
    assert costs(model, step=8)["loss"] == costs(cold, step=8)["loss"] != costs(own, step=8)["loss"]


def test_regularizer_equals_the_loop():
    rng = np.random.default_rng(0)
    means, log_variances = rng.normal(size=(2, 5, CODE)).astype(np.float32)
    expected = reference_gae.regularizer(means, log_variances, 0.3, 0.7)
    model = gae(lambda1=0.3, lambda2=0.7)
    np.testing.assert_allclose(model.regularizer(means, log_variances), expected, rtol=1e-5)


def test_longer_means_lower_the_objective():
    means, log_variances = tf.ones([4, CODE]), tf.zeros([4, CODE])
    model = gae()
    assert np.all(model.regularizer(2.0 * means, log_variances) < model.regularizer(means, log_variances))


def test_the_width_term_is_best_at_one():
    means, model = tf.zeros([1, CODE]), gae()
    values = [float(model.regularizer(means, tf.fill([1, CODE], v))[0]) for v in (-0.5, 0.0, 0.5)]
    assert values[1] == 0.0 > max(values[0], values[2])


def test_loss_is_the_sum_of_its_parts():
    parts = costs(gae(objective="aggregate", num_draws=2, num_components=ROWS))
    np.testing.assert_allclose(parts["loss"], parts["likelihood_loss"] + parts["regularizer"], rtol=1e-6)


@pytest.mark.parametrize("objective", ["path", "aggregate"])
def test_more_draws_do_not_lower_the_estimate_on_average(objective):
    models_ = [gae(objective=objective, num_draws=n, num_components=ROWS) for n in (1, 20)]
    estimates = [np.mean([costs(model, step=s)["loss"] for s in range(8, 16)]) for model in models_]
    assert estimates[1] < estimates[0]


@pytest.mark.parametrize("objective", ["self", "path", "aggregate"])
def test_estimators_report_one_loss(objective):
    options = {"objective": objective, "num_draws": 3, "num_components": ROWS}
    values = [costs(gae(estimator=name, **options))["loss"] for name in ("pathwise", "score")]
    np.testing.assert_allclose(*values, rtol=1e-5)


@pytest.mark.parametrize("objective", ["self", "path", "aggregate"])
def test_gradients_of_both_estimators_point_the_same_way_at_many_draws(objective):
    gradients = []
    for name in ("pathwise", "score"):
        options = {"lambda1": 0.0, "lambda2": 0.0, "warmup_epochs": 0, "num_components": 8}
        model = gae(objective=objective, estimator=name, num_draws=1000, **options)
        with tf.GradientTape() as tape:
            loss = model.train_costs(tf.constant(digits(8)), 0, True)["loss"]
        found = tape.gradient(loss, model.encoder.trainable_variables)
        gradients.append(np.concatenate([np.ravel(g) for g in found]))
    a, b = gradients
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.95


def test_a_learned_scale_moves_to_the_residual():
    model = gae(likelihood="gaussian", scale=1.0, learn_scale=True, lambda1=0.05, lambda2=0.05)
    model.compile(optimizer=keras.optimizers.Adam(0.03))
    model.fit(np.tile(digits(ROWS), (50, 1, 1, 1)), batch_size=32, verbose=0)
    residual = np.std(digits(ROWS) - model.reconstruct(digits(ROWS)))
    np.testing.assert_allclose(np.exp(model.log_scale), residual, rtol=0.15)


# -- the stored mixture ------------------------------------------------------------------------------------


def test_fit_stores_the_codes_of_the_trained_encoder():
    model = gae()
    model.fit(digits(ROWS), batch_size=16, epochs=2, verbose=0)
    np.testing.assert_allclose(model.code_means, model.encode(digits(ROWS)), atol=1e-5)
    widths = model.posterior_distribution(digits(ROWS)).stddev()
    np.testing.assert_allclose(model.code_scales, widths, rtol=1e-4)


def test_fit_stores_the_codes_of_the_averages_that_use_ema_ends_on():
    model = gae()
    model.compile(optimizer=keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9))
    model.fit(digits(ROWS), batch_size=16, epochs=2, verbose=0)
    means = np.asarray(model.code_means)
    np.testing.assert_allclose(means, model.encode(digits(ROWS)), rtol=1e-5, atol=1e-6)


def test_fit_takes_one_callback_as_keras_does():
    history = gae().fit(digits(ROWS), callbacks=keras.callbacks.TerminateOnNaN(), verbose=0)
    assert history.epoch == [0]


def test_callbacks_see_the_codes_of_their_epoch():
    model, seen = gae(), []

    def compare(epoch, logs):
        seen.append(np.abs(model.code_means - model.encode(digits(ROWS)).numpy()).max())

    look = keras.callbacks.LambdaCallback(on_epoch_end=compare)
    model.fit(digits(ROWS), batch_size=16, epochs=2, verbose=0, callbacks=[look])
    assert len(seen) == 2 and max(seen) < 1e-5


def test_validation_rows_are_no_components():
    model = gae()
    model.fit(digits(ROWS), batch_size=16, validation_split=0.25, verbose=0)
    np.testing.assert_allclose(model.code_means, model.encode(digits(48)), atol=1e-5)


@pytest.mark.parametrize("batched", [True, False])
def test_codes_of_a_dataset_are_those_of_its_array(batched):
    dataset = tf.data.Dataset.from_tensor_slices((digits(ROWS), np.zeros(ROWS)))
    model = gae()
    model.store_codes(dataset.batch(10) if batched else dataset)
    np.testing.assert_allclose(model.code_means, stored().code_means, atol=1e-6)


def test_an_endless_dataset_trains_and_keeps_codes_by_the_callback():
    model = gae(num_components=ROWS)
    stream = data.batches(digits(ROWS), 16, seed=0)
    model.fit(stream, steps_per_epoch=2, verbose=0, callbacks=[models.KeepCodes(digits(ROWS))])
    np.testing.assert_allclose(model.code_means, model.encode(digits(ROWS)), atol=1e-5)


def test_codes_older_than_the_encoder_warn():
    model = stored()
    model.fit(data.batches(digits(ROWS), 16, seed=0), steps_per_epoch=1, verbose=0)
    with pytest.warns(UserWarning, match="store_codes"):
        model.sample(1, seed=0)


def test_samples_are_decoded_draws_of_the_mixture():
    model = stored()
    latent = model.mixture.rows(tf.range(4, 8, dtype=tf.int64))
    np.testing.assert_allclose(model.sample(4, seed=4), model.decode(latent), atol=1e-6)


def test_stratified_samples_visit_every_component_once():
    model = stored(sigma_scale=1e-6)
    samples, means = model.sample_stratified(ROWS, seed=1), model.decode(model.code_means.value)
    order = [np.lexsort(np.reshape(x, [ROWS, -1]).round(3).T) for x in (samples, means)]
    np.testing.assert_allclose(np.asarray(samples)[order[0]], np.asarray(means)[order[1]], atol=2e-3)


def test_sigma_scale_widens_the_stored_kernels():
    np.testing.assert_allclose(
        stored(sigma_scale=1.5).code_scales, 1.5 * stored().code_scales.numpy(), rtol=1e-6
    )


def test_codes_are_saved_and_loaded(tmp_path):
    model = stored()
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.code_means, model.code_means)
    np.testing.assert_array_equal(loaded.sample(3, seed=1), model.sample(3, seed=1))


def test_the_score_endpoint_gives_the_log_likelihood(tmp_path):
    model = stored()
    model.export(tmp_path / "1")
    x = np.round(digits(5))
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["score"](x=tf.constant(x))["score"]
    np.testing.assert_allclose(served, model.log_likelihood(x), rtol=1e-5)


def test_binary_samples_come_from_the_likelihood_distribution():
    model = stored()
    bits = model.likelihood_distribution(model.mixture.draw(5, seeds.pair(0, 0, "test"))).sample(seed=[1, 2])
    assert bits.shape == (5, *SHAPE) and set(np.unique(bits)) == {0, 1}


# -- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lambda1", "lambda2"])
@pytest.mark.parametrize("value", [-0.5, float("nan")])
def test_a_factor_of_the_wrong_sign_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}=.*Use {name}=0.5"):
        gae(**{name: value})


def test_fewer_rows_than_a_batch_are_refused():
    with pytest.raises(ValueError, match="8 rows, batch_size=16"):
        gae().fit(digits(8), batch_size=16, verbose=0)


def test_a_batch_larger_than_the_mixture_is_refused():
    with pytest.raises(ValueError, match="a batch of 16 rows, num_components=8"):
        gae(num_components=8).train_on_batch(digits(16))


@pytest.mark.parametrize(("rows", "batch_size"), [(1, None), (17, 16)])
def test_leave_one_out_with_one_row_is_refused(rows, batch_size):
    model = gae(objective="aggregate", leave_one_out=True)
    with pytest.raises(ValueError, match="at least 2 rows"):
        model.fit(digits(rows), batch_size=batch_size, verbose=0)


@pytest.mark.parametrize("objective", ["self", "path"])
def test_leave_one_out_needs_the_aggregate(objective):
    with pytest.raises(ValueError, match="aggregate"):
        gae(objective=objective, leave_one_out=True)


def test_a_score_estimator_without_signal_is_refused():
    with pytest.raises(ValueError, match="num_draws=1"):
        gae(estimator="score")


@pytest.mark.parametrize("name", ["objective", "estimator", "likelihood"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(ValueError, match=name):
        gae(**{name: "nonsense"})


def test_a_deterministic_posterior_is_refused():
    with pytest.raises(ValueError, match="Gaussian posterior"):
        gae(posterior="deterministic")


@pytest.mark.parametrize("action", ["sample", "export", "mixture", "log_likelihood"])
@pytest.mark.parametrize("num_components", [None, ROWS])
def test_a_model_without_codes_does_not_draw(action, num_components, tmp_path):
    model = gae(num_components=num_components)
    actions = {
        "sample": lambda: model.sample(1),
        "export": lambda: model.export(tmp_path / "1"),
        "mixture": lambda: model.mixture,
        "log_likelihood": lambda: model.log_likelihood(digits(2)),
    }
    with pytest.raises(ValueError, match="store_codes"):
        actions[action]()


ROWS_OF = tf.data.Dataset.from_tensor_slices(digits(ROWS))
NO_ORDER = {
    "endless": ROWS_OF.batch(16).repeat(),
    "shuffled": ROWS_OF.shuffle(ROWS).batch(16),
    "shuffled examples": ROWS_OF.shuffle(ROWS),
    "unknown cardinality": ROWS_OF.filter(lambda x: True).batch(16),
}


@pytest.mark.parametrize("dataset", NO_ORDER.values(), ids=NO_ORDER)
def test_codes_of_rows_without_a_fixed_order_are_refused(dataset):
    with pytest.raises(ValueError, match="fixed order"):
        gae().store_codes(dataset)


def test_a_first_fit_without_a_fixed_order_needs_the_number_of_rows():
    with pytest.raises(ValueError, match="fixed order"):
        gae().fit(NO_ORDER["shuffled"], verbose=0)


def test_a_step_without_the_number_of_rows_is_refused():
    with pytest.raises(ValueError, match="num_components"):
        gae().train_on_batch(digits(16))


def test_other_rows_than_the_components_are_refused():
    with pytest.raises(ValueError, match="64 training rows"):
        stored().fit(digits(48), verbose=0)


def test_kernels_that_shrink_to_points_raise_the_alarm():
    model = gae()
    model.encoder.layers[-1].bias.assign([0.0] * CODE + [-12.0] * CODE)
    with pytest.warns(UserWarning, match=r"median kernel width 0\.00\d+, spread of the means \d"):
        model.store_codes(digits(ROWS))


def test_codes_that_say_nothing_raise_the_alarm():
    model = gae()
    last = model.encoder.layers[-1]
    last.kernel.assign(np.zeros(last.kernel.shape))
    with pytest.warns(UserWarning, match="heap of noise"):
        model.store_codes(digits(ROWS))


def test_healthy_codes_raise_no_alarm():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stored()


def test_codes_of_bad_rows_are_refused():
    x = digits(ROWS)
    x[3, 1, 2, 0] = np.nan
    with pytest.raises(ValueError, match=r"\(3, 1, 2, 0\)"):
        gae().store_codes(x)


def test_the_prior_of_a_stored_model_is_the_mixture():
    assert isinstance(stored().prior, priors.DataMixture)
