"""What every system keeps, whatever it is: parametrised over the list of all systems."""

import functools
import inspect
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from export import saved_model, verify
from tests.harness import assert_same_rows
from tests.systems import SYSTEMS, compile_two, digits
from tfmmd import kernels, penalties, priors, registry
from tfmmd.callbacks import checkpoint
from tfmmd.models import posteriors

ALL = pytest.mark.parametrize("name", SYSTEMS)


@pytest.fixture(scope="module")
def trained():
    """name -> a model after one epoch, made once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = fit(build(name), name)
        return made[name]

    return get


@pytest.fixture(scope="module")
def continued(tmp_path_factory):
    """name -> of a second model: `weights`, `file` and `checkpoint` after one epoch, `at_end` after two."""

    @functools.cache
    def get(name):
        folder = tmp_path_factory.mktemp(name)
        model, found = fit(build(name), name), types.SimpleNamespace(file=folder / "m.keras")
        model.save(found.file)
        found.checkpoint, found.weights = checkpoint.save(folder, model, step=4), model.get_weights()
        found.at_end = fit(model, name).get_weights()
        return found

    return get


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """name -> folder of the version that `export save` writes of `trained(name)`, made once."""
    folder = tmp_path_factory.mktemp("models")
    return functools.cache(lambda name: saved_model.save(trained(name), folder, name))


def build(name):
    keras.utils.set_random_seed(0)
    model = SYSTEMS[name].build()
    SYSTEMS[name].compile(model)
    return model


def fit(model, name, epochs=1):
    model.history_of_fit = model.fit(
        digits(),
        *SYSTEMS[name].labels(),
        batch_size=SYSTEMS[name].batch_size,
        epochs=epochs,
        shuffle=False,
        verbose=0,
    ).history
    return model


@ALL
def test_fit_reports_finite_losses_by_name(name, trained):
    history = trained(name).history_of_fit
    assert set(history) == set(trained(name).loss_names)
    assert np.all(np.isfinite(list(history.values())))


@ALL
def test_fit_changes_the_weights(name, trained):
    before, after = build(name).get_weights(), trained(name).get_weights()
    assert any(not np.array_equal(a, b) for a, b in zip(before, after))


@ALL
def test_same_seed_trains_to_the_same_weights(name, trained, continued):
    for a, b in zip(trained(name).get_weights(), continued(name).weights):
        np.testing.assert_allclose(a, b, atol=1e-6)


@ALL
def test_eager_and_graph_agree_over_one_step(name):
    rows = SYSTEMS[name].batch_size
    eager, graph = build(name), build(name)
    eager.run_eagerly = True
    batch = digits(rows), *SYSTEMS[name].labels(rows)
    losses = [m.train_on_batch(*batch, return_dict=True) for m in (eager, graph)]
    for key in losses[0]:
        np.testing.assert_allclose(losses[0][key], losses[1][key], rtol=1e-4, atol=1e-5)


@ALL
def test_fit_before_compile_is_refused_with_keras_own_sentence(name):
    with pytest.raises(ValueError, match="You must call `compile\\(\\)`"):
        SYSTEMS[name].build().fit(digits(), *SYSTEMS[name].labels(), verbose=0)


@ALL
def test_evaluate_gives_finite_numbers(name, trained):
    result = trained(name).evaluate(
        digits(32),
        *SYSTEMS[name].labels(32),
        batch_size=SYSTEMS[name].batch_size,
        verbose=0,
        return_dict=True,
    )
    assert np.all(np.isfinite(list(result.values())))


@ALL
def test_sample_has_the_shape_of_the_data_and_float32(name, trained):
    samples = trained(name).sample(5, seed=1)
    assert samples.shape == (5, 8, 8, 1) and samples.dtype == tf.float32


@ALL
@pytest.mark.parametrize("rows", [1, 2, 3, 16, 65])
def test_a_row_of_a_sample_depends_on_its_seed_alone(name, rows, trained):
    many = trained(name).sample(80, seed=3).numpy()
    assert_same_rows(trained(name).sample(rows, seed=3 + 7), many[7 : 7 + rows])


@ALL
def test_sample_takes_one_seed_per_row(name, trained):
    rows = trained(name).sample(seeds=[9, 4, 9])
    assert_same_rows(rows[0], rows[2])
    assert_same_rows(rows[1], trained(name).sample(1, seed=4)[0])


@ALL
def test_fresh_seeds_give_fresh_samples(name, trained):
    assert not np.array_equal(trained(name).sample(4), trained(name).sample(4))


@ALL
def test_predict_follows_call(name, trained):
    model = trained(name)
    x = np.random.default_rng(0).normal(size=(4, model.latent_size)).astype(np.float32)
    if len(model.call_shape) > 1:
        x = digits(4)
    np.testing.assert_allclose(model.predict(x, verbose=0), model(x), atol=1e-6)


@ALL
def test_keras_file_keeps_samples_and_all_state(name, trained, tmp_path):
    model = trained(name)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.sample(4, seed=1), model.sample(4, seed=1))
    for (a, x), (b, y) in zip(
        checkpoint.variables_of(model).items(), checkpoint.variables_of(loaded).items()
    ):
        np.testing.assert_array_equal(x.numpy(), y.numpy(), err_msg=f"{a} {b}")


@ALL
def test_keras_file_of_one_process_loads_in_another(name, tmp_path):
    keras.utils.clear_session()  # names of layers begin anew, as in a new process
    model = build(name)
    model.save(tmp_path / "m.keras")
    keras.utils.clear_session()
    loaded = keras.models.load_model(tmp_path / "m.keras")
    for saved, found in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(found, saved)


@ALL
def test_loaded_model_trains_on_as_the_saved_one(name, continued):
    loaded = keras.models.load_model(continued(name).file)
    for a, b in zip(continued(name).at_end, fit(loaded, name).get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)


@ALL
def test_saved_model_samples_bit_equal_in_both_loaders(name, trained, exported):
    expected = trained(name).sample(4, seed=1).numpy()
    served = tf.saved_model.load(str(exported(name))).signatures["serving_default"]
    np.testing.assert_array_equal(served(seed=tf.range(1, 5, dtype=tf.int64))["samples"], expected)
    np.testing.assert_array_equal(_run_tf1(exported(name), np.arange(1, 5)), expected)


@ALL
def test_saved_model_passes_every_check_of_verify(name, exported):
    report = verify.verify(exported(name))
    assert report.passed, verify.text(report)


@ALL
def test_checkpoint_continues_as_the_model_that_went_on(name, continued):
    resumed = build(name)
    checkpoint.restore(continued(name).checkpoint, resumed)
    for a, b in zip(continued(name).at_end, fit(resumed, name).get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)


@ALL
@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 8, 7, 1), (4, 64)])
def test_data_of_another_shape_is_refused(name, shape, trained):
    with pytest.raises(ValueError, match="shape"):
        trained(name).fit(np.zeros(shape, np.float32), *SYSTEMS[name].labels(4), verbose=0)


@ALL
def test_data_with_nan_is_refused_with_its_place(name, trained):
    x = digits(16)
    x[3, 1, 2, 0] = np.nan
    with pytest.raises(ValueError, match=r"\(3, 1, 2, 0\)"):
        trained(name).fit(x, *SYSTEMS[name].labels(16), verbose=0)


@pytest.mark.parametrize("name", ["gmmn", "gan", "improved-gan", "semi-supervised"])
def test_data_that_the_generator_cannot_give_are_answered_with_a_warning(name):
    with pytest.warns(
        UserWarning, match=r"\[0.0, 1.0\], the range of the generator.*x from 0 to 255.*Rescale"
    ):
        build(name).fit(255 * digits(), *SYSTEMS[name].labels(), verbose=0)


@ALL
def test_data_to_evaluate_with_nan_are_refused_before_training(name, trained):
    x, labels = digits(), SYSTEMS[name].labels()
    spoilt = np.where(np.arange(len(x))[:, None, None, None] == 3, np.nan, x)
    with pytest.raises(ValueError, match=r"`validation_data` must be finite.*\(3, 0, 0, 0\)"):
        trained(name).fit(x, *labels, validation_data=(spoilt, *labels), verbose=0)
    with pytest.raises(ValueError, match=r"`x` must be finite.*\(3, 0, 0, 0\)"):
        trained(name).evaluate(spoilt, *labels, verbose=0)


@ALL
def test_data_of_unknown_rank_are_refused_with_the_mend(name):
    stream = tf.data.Dataset.from_tensor_slices(digits()).batch(16)
    stream = stream.map(lambda x: tf.numpy_function(lambda a: a, [x], tf.float32))
    with pytest.raises(ValueError, match="ensure_shape|semi_supervised_batches"):
        build(name).fit(stream, verbose=0)


@pytest.mark.parametrize("name", [name for name, system in SYSTEMS.items() if system.compile is compile_two])
@pytest.mark.parametrize("kind", [keras.callbacks.ReduceLROnPlateau, keras.callbacks.SwapEMAWeights])
def test_keras_callbacks_that_look_at_one_optimizer_are_refused_for_two_players(name, kind):
    callback = kind()
    with pytest.raises(ValueError, match="generator_optimizer and critic_optimizer"):
        build(name).fit(digits(), *SYSTEMS[name].labels(), callbacks=[callback], verbose=0)


@ALL
@pytest.mark.parametrize("option", [{"loss": "mse"}, {"metrics": ["mse"]}, {"loss_weights": [2.0]}], ids=str)
def test_what_compile_would_ignore_is_refused(name, option, trained):
    with pytest.raises(ValueError, match="brings its own loss and reports its own numbers.*callbacks"):
        trained(name).compile(**option)


# -- settings ------------------------------------------------------------------------------------------------

NETWORKS = {"self", "encoder", "decoder", "critic", "generator", "autoencoder"}
OTHER = {  # of every setting a value that no system of the list has
    "activation_weight": 0.5,
    "add_prior_density": True,
    "allow_batch_norm": True,
    "average_decay": 0.5,
    "cost": "absolute",
    "diagonal": "constant",
    "estimator": "biased",
    "feature_layer": None,
    "generator_ema": 0.5,
    "historical_weight": 0.7,
    "kernel": kernels.Gaussian((7.0,)),
    "kl_weight": 2.0,
    "lambda1": 0.7,
    "lambda2": 0.7,
    "latent_weight": 3.0,
    "learn_scale": True,
    "leave_one_out": True,
    "likelihood": "gaussian",
    "logits": True,
    "norm": "l1",
    "num_components": 32,
    "num_draws": 3,
    "objective": "aggregate",
    "penalties": (penalties.WeightClip(3.0),),
    "penalty_axes": [2, 3],
    "penalty_weight": 0.3,
    "posterior": posteriors.GaussianPosterior(-1.0, 1.0),
    "prior": None,  # `other_values` makes one of the right size
    "real_target": 0.6,
    "reconstruction_weight": 0.3,
    "root": False,
    "scale": 0.5,
    "seed": 7,
    "shard_rows": True,
    "sigma_scale": 2.0,
    "space": "data",
    "unlabelled_weight": 0.3,
    "variant": "reddit",
    "warmup_epochs": 3.0,
    "warmup_steps": 3,
}


def settings_of(model):
    return {name: getattr(model, name) for name in model.config_names}


def keywords_of(cls):
    """Every keyword that a system or one of its engines takes by name."""
    own = [base.__init__ for base in cls.__mro__ if base.__module__.startswith("tfmmd.")]
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    return {
        p.name for f in own for p in inspect.signature(f).parameters.values() if p.kind in kinds
    } - NETWORKS


@ALL
def test_every_setting_survives_its_config_or_is_refused_by_name(name):
    model, cls = SYSTEMS[name].build(), type(SYSTEMS[name].build())
    for keyword in sorted(keywords_of(cls)):
        value = priors.Normal(model.prior.size, 2.0) if keyword == "prior" else OTHER[keyword]
        try:
            made = cls(**{**settings_of(model), keyword: value})
        except (TypeError, ValueError) as error:
            assert keyword in str(error)
            continue
        again = cls.from_config(made.get_config())
        assert as_text(getattr(again, keyword)) == as_text(value), keyword


def as_text(value):
    return str(registry.serialize(value))


@ALL
def test_a_missing_prior_is_refused_or_made(name):
    model = SYSTEMS[name].build()
    parameter = inspect.signature(type(model)).parameters.get("prior")
    if parameter is None or parameter.default is None:
        return
    with pytest.raises(ValueError, match="`prior` must be a `tfmmd.priors.Prior`"):
        type(model)(**{**settings_of(model), "prior": None})


@pytest.mark.parametrize("name", ["gmmn", "gmmn-ae", "wae-mmd", "mmd-gan"])
def test_a_name_is_refused_for_a_kernel(name):
    model = SYSTEMS[name].build()
    with pytest.raises(ValueError, match="`kernel` must be a `tfmmd.kernels.Kernel`.*kernel='gaussian'"):
        type(model)(**{**settings_of(model), "kernel": "gaussian"})


@ALL
def test_export_never_writes_over_a_folder(name, trained, tmp_path):
    (tmp_path / "1").mkdir()
    with pytest.raises(FileExistsError, match="another path"):
        trained(name).export(tmp_path / "1")


def _run_tf1(path, row_seeds):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(path))
        signature = meta.signature_def["serving_default"]
        feed = {signature.inputs["seed"].name: row_seeds.astype(np.int64)}
        return session.run(signature.outputs["samples"].name, feed)
