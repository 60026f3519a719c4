"""Tables: generators and kernels that know the columns' units."""

import keras
import numpy as np
import pytest

from tfmmd import kernels, models, networks, priors

UNITS = np.array([1e-3, 1.0, 1e4])
ROWS = (np.random.default_rng(1).normal(size=(200, 3)) * UNITS + [5.0, 0.0, -7e4]).astype(np.float32)


def test_the_generator_is_the_network_times_spread_plus_mean():
    keras.utils.set_random_seed(0)
    generator = networks.table_generator(4, ROWS, hidden=(8,))
    z = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    inner = keras.Model(generator.input, generator.layers[-2].output)(z)
    np.testing.assert_allclose(generator(z), inner * ROWS.std(0) + ROWS.mean(0), rtol=1e-4)


def test_the_standardized_kernel_sees_columns_in_standard_deviations():
    kernel = kernels.Gaussian([1.5])
    scaled = (ROWS - ROWS.mean(0, dtype=np.float64)) / ROWS.std(0, dtype=np.float64)
    np.testing.assert_allclose(
        kernels.standardized(kernel, ROWS)(ROWS[:9], ROWS[9:16]), kernel(scaled[:9], scaled[9:16]), rtol=1e-3
    )


def test_a_constant_column_makes_no_infinity():
    rows = np.concatenate([ROWS, np.full((200, 1), 3.0, np.float32)], axis=1)
    assert np.isfinite(kernels.standardized(kernels.Gaussian(), rows)(rows[:5], rows)).all()


@pytest.mark.parametrize(
    "make", [networks.table_generator, lambda k, x: kernels.standardized(kernels.Gaussian(), x)]
)
def test_a_table_has_two_axes(make):
    with pytest.raises(ValueError, match="rank 2"):
        make(4, ROWS[0])


def test_a_gmmn_of_a_table_is_saved_with_its_units(tmp_path):
    kernel = kernels.standardized(kernels.Gaussian([1.0, 2.0]), ROWS)
    model = models.GMMN(networks.table_generator(3, ROWS, hidden=(8,)), priors.Uniform(3), kernel)
    model.compile("adam")
    model.fit(ROWS, batch_size=100, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded.sample(5, seed=1), model.sample(5, seed=1), rtol=1e-6)
    np.testing.assert_allclose(loaded.kernel(ROWS[:4], ROWS[:4]), model.kernel(ROWS[:4], ROWS[:4]), rtol=1e-6)
