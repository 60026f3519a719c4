"""Mixed precision: networks in half precision, kernels and losses in float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import harness, systems
from tfmmd import discrepancies, kernels

POLICIES = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
@pytest.mark.parametrize("name", systems.SYSTEMS)
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
