"""Image sets of TFDS: mocked ones, tiny ones built here, and real MNIST where it is at hand."""

import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from tfmmd import data
from tfmmd.data import tfds_sets

MOCKED = {
    "mnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "svhn_cropped": (32, 32, 3),
    "fashion_mnist": (28, 28, 1),
}


class TinyTestImages(tfds.core.GeneratorBasedBuilder):
    """40 + 10 images of 6x4 pixels; every pixel of image i is i, its label i % 3."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "For tests."}
    NUM = {"train": 40, "test": 10}
    SHAPE = (6, 4, 3)

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=self.SHAPE),
            "label": tfds.features.ClassLabel(num_classes=3),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=("image", "label")
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(num) for split, num in self.NUM.items()}

    def _generate_examples(self, num):
        for i in range(num):
            yield i, {"image": np.full((6, 4, 3), i, np.uint8), "label": i % 3}


class TinyTestShapes(TinyTestImages):
    """The same, of shapes that the set does not fix, with a validation split."""

    VERSION = tfds.core.Version("1.0.0")
    NUM = {"train": 8, "validation": 3, "test": 2}
    SHAPE = (None, None, 3)


class TinyTestNumbers(TinyTestImages):
    """A set without images."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({"x": np.int64}))

    def _generate_examples(self, num):
        yield from ((i, {"x": i}) for i in range(num))


@pytest.fixture(scope="module", autouse=True)
def data_dir(tmp_path_factory):
    """A TFDS directory of this module's own."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("tfds")
    patch.setenv("TFDS_DATA_DIR", str(folder))
    yield folder
    patch.undo()


@pytest.fixture(params=["in memory", "streamed"])
def path(request, monkeypatch):
    """Both ways of reading."""
    if request.param == "streamed":
        monkeypatch.setattr(tfds_sets, "IN_MEMORY", 0)
    return request.param


def numbers(split, name="tiny_test_images", **options):
    """The numbers of a split's images, whose pixels are all equal."""
    x = data.arrays(name, split, (0, 255), **options)
    return np.round(x[:, 0, 0, 0]).astype(int).tolist()


def native(split):
    builder = tfds.builder("tiny_test_images", data_dir=os.environ["TFDS_DATA_DIR"])
    builder.download_and_prepare()
    return [int(row["image"][0, 0, 0]) for row in builder.as_dataset(split=split).as_numpy_iterator()]


@pytest.mark.parametrize("name", MOCKED)
def test_a_tfds_set_is_loaded_by_its_name(name):
    with tfds.testing.mock_data(num_examples=30):
        train, held_out = data.load(name, "train"), data.load(name, "validation", with_labels=True)
    assert train.element_spec == tf.TensorSpec(MOCKED[name], tf.float32)
    assert (int(train.cardinality()), int(held_out.cardinality())) == (27, 3)


def test_celeb_a_is_cut_to_140_pixels_and_resized_to_64():
    images = np.random.default_rng(0).integers(64, 192, (3, 218, 178, 3), dtype=np.uint8)
    spec = tfds.builder("celeb_a").info.features

    def as_dataset(self, *args, **kwargs):
        return tf.data.Dataset.from_tensor_slices({"image": images})

    with tfds.testing.mock_data(num_examples=3, as_dataset_fn=as_dataset):
        x = data.arrays("celeb_a", "test")
    assert spec["image"].shape == (218, 178, 3)
    for image, found in zip(images, x):
        cut = Image.fromarray(image[39:179, 19:159])
        expected = np.asarray(cut.resize((64, 64), Image.Resampling.LANCZOS)) / 255
        np.testing.assert_allclose(found, expected, atol=1.5 / 255)  # PIL rounds each of its two passes


def test_celeb_a_takes_another_size():
    with tfds.testing.mock_data(num_examples=2):
        assert data.load("celeb_a", "test", image_size=32).element_spec.shape == (32, 32, 3)


def test_a_large_set_is_streamed_with_the_same_values(path):
    with tfds.testing.mock_data(num_examples=5):
        ds = data.load("celeb_a", "test")
        x = np.stack(list(ds.as_numpy_iterator()))
    assert int(ds.cardinality()) == 5
    assert (x.shape, x.dtype) == ((5, 64, 64, 3), np.float32)
    assert 0 <= x.min() and x.max() <= 1


def test_train_and_validation_share_the_training_set(path):
    train, validation = numbers("train"), numbers("validation")
    assert len(validation) == 4
    assert sorted(train + validation) == list(range(40))


def test_the_held_out_rows_are_the_first_of_the_permutation():
    order = np.random.RandomState(0).permutation(40)
    assert numbers("validation") == [native("train")[i] for i in order[:4]]
    assert numbers("train") == [native("train")[i] for i in order[4:]]


@pytest.mark.parametrize("split", ["test", "train[:7]", "train[50%:]", "train[:3]+test"])
def test_split_expressions_go_to_tfds(split, path):
    assert numbers(split) == native(split)


def test_train_and_validation_joined_are_tfds_order(path):
    assert numbers("train+validation") == native("train")


def test_labels_stay_with_their_images(path):
    x, y = data.arrays("tiny_test_images", "train", (0, 255), with_labels=True)
    np.testing.assert_array_equal(np.round(x[:, 0, 0, 0]).astype(int) % 3, y)


def test_bernoulli_pixels_do_not_depend_on_the_way_of_reading(monkeypatch):
    options = dict(split="train[:20]", binarize="bernoulli", image_size=4)
    one = data.arrays("tiny_test_images", **options)
    monkeypatch.setattr(tfds_sets, "IN_MEMORY", 0)
    np.testing.assert_array_equal(data.arrays("tiny_test_images", **options), one)


@pytest.mark.parametrize("split, rows", [("train", 8), ("validation", 3), ("train+validation", 11)])
def test_a_validation_split_of_the_set_itself_is_used(split, rows):
    assert data.arrays("tiny_test_shapes", split, image_size=4).shape == (rows, 4, 4, 3)


def test_images_of_unknown_shape_need_an_image_size():
    with pytest.raises(ValueError, match="image_size"):
        data.load("tiny_test_shapes")


@pytest.mark.parametrize("split", ["tain", "train[:0]", "train[:", "train[70:60]"])
def test_an_unknown_or_empty_split_is_refused(split):
    with pytest.raises(ValueError, match="split"):
        data.load("tiny_test_images", split)


def test_a_set_without_images_is_refused():
    with pytest.raises(ValueError, match="image set"):
        data.load("tiny_test_numbers")


def test_a_set_without_labels_has_none():
    with tfds.testing.mock_data(num_examples=2), pytest.raises(ValueError, match="labels"):
        data.load("celeb_a", with_labels=True)


def test_data_out_of_reach_are_named(monkeypatch):
    def no_network(self, **options):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", no_network)
    with pytest.raises(ValueError, match="'cifar100'.*no route to host.*TFDS_DATA_DIR"):
        data.load("cifar100")
