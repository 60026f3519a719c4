"""Feature extractors: local weights with a hash, one resize rule, a cache that cannot go stale."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmmd import networks
from tfmmd.metrics import features
from tfmmd.metrics.feature_cache import array_hash, cached_features, file_hash, weights_hash

RNG = np.random.RandomState(13)
IMAGES = np.float32(RNG.rand(9, 8, 8, 1))


@pytest.fixture(scope="module")
def lenet_file(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("lenet") / "lenet.keras"
    networks.lenet((8, 8, 1), 4, num_features=16).save(path)
    return path


def test_the_lenet_of_mnist_has_512_features_and_10_classes():
    model = networks.lenet()
    assert model.input_shape == (None, 28, 28, 1) and model.output_shape == (None, 10)
    assert model.get_layer("features").output.shape == (None, 512)


def test_lenet_features_are_its_penultimate_layer(lenet_file):
    model = keras.saving.load_model(lenet_file)
    body = keras.Model(model.input, model.get_layer("features").output)
    value = features.lenet_features(lenet_file)(IMAGES)
    assert value.shape == (9, 16)
    np.testing.assert_allclose(value, body(IMAGES, training=False), rtol=1e-5)


def test_lenet_probabilities_sum_to_one(lenet_file):
    value = features.lenet_probabilities(lenet_file)(IMAGES)
    assert value.shape == (9, 4)
    np.testing.assert_allclose(value.sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_features_do_not_depend_on_the_batch_size(lenet_file, batch_size):
    value = features.lenet_features(lenet_file, batch_size=batch_size)(IMAGES)
    np.testing.assert_allclose(value, features.lenet_features(lenet_file)(IMAGES), rtol=1e-4, atol=1e-6)


def test_the_right_hash_is_accepted_and_a_wrong_one_refused(lenet_file):
    features.lenet_features(lenet_file, sha256=file_hash(lenet_file))
    with pytest.raises(ValueError, match="must have the sha256 0000"):
        features.lenet_features(lenet_file, sha256="0000")


def test_missing_weights_say_how_to_get_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="none are downloaded.*trainers run lenet"):
        features.lenet_features(tmp_path / "none.keras")


def test_a_model_without_feature_layer_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match='layer named "features"'):
        features.lenet_features(tmp_path / "other.keras")


def test_a_plain_function_is_an_extractor():
    value = features.Extractor(lambda images: tf.reduce_mean(images, axis=-1))(IMAGES)
    np.testing.assert_allclose(value, IMAGES.reshape(9, 64), rtol=1e-6)


def test_the_resize_rule_repeats_grey_and_shifts_the_range():
    value = features.prepare(IMAGES, (8, 8, 3), (-1, 1))
    np.testing.assert_allclose(value, np.repeat(2 * IMAGES - 1, 3, axis=-1), rtol=1e-6, atol=1e-6)


def test_the_resize_rule_averages_when_it_shrinks():
    value = features.prepare(np.tile([[0.0, 1.0], [1.0, 0.0]], (4, 4))[None, :, :, None], (2, 2, 1))
    np.testing.assert_allclose(value, np.full((1, 2, 2, 1), 0.5), atol=0.05)


def test_images_out_of_range_are_refused(lenet_file):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        features.lenet_features(lenet_file)(IMAGES * 255)


def test_colour_for_a_grey_network_is_refused(lenet_file):
    with pytest.raises(ValueError, match="must have 1 channel"):
        features.lenet_features(lenet_file)(np.repeat(IMAGES, 3, axis=-1))


def counting_extractor(fingerprint="a", **settings):
    calls = []

    def function(images):
        calls.append(len(images))
        return tf.reshape(images, [len(images), -1])

    return features.Extractor(function, fingerprint=fingerprint, **settings), calls


def test_the_cache_computes_once(tmp_path):
    extractor, calls = counting_extractor()
    first = cached_features(extractor, IMAGES, tmp_path, data="noise", split="test")
    second = cached_features(extractor, IMAGES, tmp_path, data="noise", split="test")
    np.testing.assert_array_equal(first, second)
    assert calls == [9]


@pytest.mark.parametrize(
    "change",
    [
        {"data": "other"},
        {"split": "train"},
        {"images": IMAGES + 1e-4},
        {"extractor": counting_extractor("b")[0]},
        {"extractor": counting_extractor(value_range=(-1, 1))[0]},
    ],
    ids=["data", "split", "content", "weights", "preprocessing"],
)
def test_the_cache_computes_anew_when_anything_changes(tmp_path, change):
    extractor, _ = counting_extractor()
    base = {"extractor": extractor, "images": IMAGES, "data": "noise", "split": "test"}
    for settings in (base, {**base, **change}):
        cached_features(settings.pop("extractor"), settings.pop("images"), tmp_path, **settings)
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_data_set_named_by_its_folder_is_cached(tmp_path):
    extractor, calls = counting_extractor()
    for _ in range(2):
        cached_features(extractor, IMAGES, tmp_path, data="/images/of cats", split="test")
    assert calls == [9] and len(list(tmp_path.glob("*cats-test-*.npz"))) == 1


def test_a_function_without_fingerprint_is_not_cached(tmp_path):
    with pytest.raises(ValueError, match="needs an extractor with a fingerprint"):
        cached_features(features.Extractor(tf.identity), IMAGES, tmp_path, data="noise", split="test")


def test_the_hash_of_weights_ignores_names_and_sees_values():
    def model():
        keras.utils.set_random_seed(1)
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])

    first, second = model(), model()
    assert weights_hash(first) == weights_hash(second)
    second.layers[0].bias.assign([0.0, 1e-3])
    assert weights_hash(first) != weights_hash(second)


def test_the_hash_of_an_array_sees_shape_and_type():
    hashes = {array_hash(x) for x in (np.zeros(4), np.zeros((2, 2)), np.zeros(8, np.float32), np.zeros(0))}
    assert len(hashes) == 4


@pytest.mark.slow
def test_inception_takes_local_weights(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg", input_shape=(299, 299, 3)
    )
    path = tmp_path / "inception.weights.h5"
    model.save_weights(path)
    value = features.inception_features(path, sha256=file_hash(path))(IMAGES[:2])
    assert value.shape == (2, 2048) and np.isfinite(value).all()
