"""Pictures of the latent law."""

import keras
import numpy as np
import pytest

from tests.systems import SHAPE, digits
from tfmmd import models, networks
from tfmmd.callbacks import LatentDensity


def gae(latent_size=2):
    keras.utils.set_random_seed(0)
    networks_ = (
        networks.mlp(SHAPE, (8,), 2 * latent_size),
        networks.vae_decoder(latent_size, SHAPE, hidden=(8,)),
    )
    model = models.GAE(*networks_)
    model.compile(optimizer="adam")
    model.store_codes(digits(32))
    return model


def density(model, **options):
    callback = LatentDensity(digits(32), **options)
    callback.set_model(model)
    return callback


def test_the_density_is_that_of_the_prior_on_a_grid():
    callback = density(gae(), size=9)
    values = callback.log_density().reshape(9, 9)
    codes = callback.model.encode(digits(32)).numpy()
    low, high = codes.min(0), codes.max(0)
    corner = (low - 0.1 * (high - low))[None]
    middle = (0.5 * (low + high))[None]
    expected = callback.model.prior.log_prob(corner) - callback.model.prior.log_prob(middle)
    np.testing.assert_allclose(values[0, 0] - values[4, 4], expected[0], rtol=1e-3)


def test_higher_density_is_darker():
    callback = density(gae(), size=16)
    values, picture = callback.log_density().reshape(16, 16)[::-1], callback.picture()
    assert picture.shape == (16, 16, 3) and picture.dtype == np.uint8
    low, high = (np.unravel_index(place(values), values.shape) for place in (np.argmin, np.argmax))
    assert picture[low].sum() > picture[high].sum() == 0


def test_the_picture_is_written_during_fit(tmp_path):
    gae().fit(digits(32), verbose=0, callbacks=[LatentDensity(digits(32), size=8, directory=tmp_path)])
    assert (tmp_path / "latent_density.png").exists()


def test_codes_of_more_than_two_entries_are_refused():
    with pytest.raises(ValueError, match="latent_size=3"):
        density(gae(3))
