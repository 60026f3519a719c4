"""Mixed precision: networks in half precision, kernels and losses in float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import harness, systems
from tfmmd import discrepancies, kernels, models, priors

POLICIES = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
ENGINES = ("gmmn", "vae", "gae", "wae-gan", "mmd-gan", "semi-supervised")  # one system of each
OTHERS = [name for name in systems.SYSTEMS if name not in ENGINES]
TRAINED = [
    *((name, "mixed_float16") for name in systems.SYSTEMS),  # the narrower range
    *((name, "mixed_bfloat16") for name in ENGINES),
    *(pytest.param(name, "mixed_bfloat16", marks=pytest.mark.slow) for name in OTHERS),
]


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(("name", "policy"), TRAINED, indirect=["policy"])
def test_losses_and_weights_stay_finite(name, policy, monkeypatch):
    dtypes = spy_on_kernels(monkeypatch)
    system = systems.SYSTEMS[name]
    keras.utils.set_random_seed(0)
    model = system.build()
    system.compile(model)
    arrays = systems.digits(64), *system.labels(64)
    history = model.fit(*arrays, batch_size=system.batch_size, epochs=2, shuffle=False, verbose=0).history
    assert np.all(np.isfinite(list(history.values())))
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert {w.dtype for w in model.trainable_variables} == {"float32"}
    assert model.sample(3, seed=1).dtype == tf.float32
    assert dtypes <= {tf.float32, tf.float64}
    if "mmd" in name:
        assert dtypes


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
@pytest.mark.parametrize("name", ["aae", "gan", "semi-supervised", "wae-gan"])
def test_optimizers_of_two_players_scale_the_loss_in_float16_alone(name, policy):
    model = systems.SYSTEMS[name].build()
    systems.SYSTEMS[name].compile(model)
    for optimizer in (model.generator_optimizer, model.critic_optimizer):
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (policy == "mixed_float16")


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
@pytest.mark.parametrize("offset", [1e3, 1e5])
def test_data_far_from_zero_reach_the_kernel_as_they_are(offset, policy):
    generator = keras.Sequential([keras.Input([2]), keras.layers.Rescaling(1.0, offset, dtype="float32")])
    model = models.GMMN(generator, priors.Uniform(2), kernels.Gaussian())
    model.compile()
    x, _ = harness.samples(32, 32, 2)
    seen = model.evaluate((x + offset).astype(np.float32), batch_size=32, verbose=0)
    expected = discrepancies.mmd(model.draw_latent(32, 0), x, kernels.Gaussian())
    np.testing.assert_allclose(seen, expected, rtol=0.02 if offset == 1e5 else 1e-3)  # float32's own rounding


def spy_on_kernels(monkeypatch):
    """The dtypes of the squared distances that radial kernels see, filled as they see them."""
    seen = set()
    for cls in (kernels.Gaussian, kernels.RationalQuadratic, kernels.InverseMultiquadric):

        def spied(self, d2, original=cls.of_squared_distance):
            seen.add(d2.dtype)
            return original(self, d2)

        monkeypatch.setattr(cls, "of_squared_distance", spied)
    return seen


@pytest.mark.parametrize("dtype", POLICIES.values())
@pytest.mark.parametrize("kernel", harness.ALL_KERNELS, ids=repr)
def test_mmd_of_samples_cast_once_is_within_1_percent_and_float32(kernel, dtype):
    x, y = harness.samples(200, 200, 5)
    exact = discrepancies.mmd2(x, y, kernel, estimator="biased")
    cast = discrepancies.mmd2(tf.cast(x, dtype), tf.cast(y, dtype), kernel, estimator="biased")
    assert cast.dtype == tf.float32
    np.testing.assert_allclose(cast, exact, rtol=0.01)
