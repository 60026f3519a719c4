"""Folders of images."""

import numpy as np
import pytest
from PIL import Image

from tfmmd import data

ALL = "train+validation+test"


def write(folder, count, shape=(6, 6), suffix="png"):
    """Random images `name_000.png`, ...; returns their pixels `[n, h, w, c]`."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"name_{i:03d}.{suffix}")
    return pixels.reshape(count, shape[0], shape[1], -1)


def rows(count):
    order = np.random.RandomState(0).permutation(count)
    held = count // 10
    return {"validation": order[:held], "test": order[held : 2 * held], "train": order[2 * held :]}


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_folder_is_read_in_the_order_of_its_names(tmp_path, shape, split):
    pixels = write(tmp_path, 20, shape)
    np.testing.assert_allclose(data.arrays(tmp_path, split), pixels[rows(20)[split]] / 255, rtol=1e-6)


@pytest.mark.parametrize("form", ["{}", "folder:{}"])
def test_a_folder_is_a_path_or_has_a_prefix(tmp_path, form):
    write(tmp_path, 3)
    assert data.arrays(form.format(tmp_path), ALL).shape == (3, 6, 6, 1)


def test_a_relative_folder_is_found_by_its_bare_name(tmp_path, monkeypatch):
    write(tmp_path / "holiday", 3)
    monkeypatch.chdir(tmp_path)
    assert len(data.arrays("holiday", ALL)) == 3


def test_a_bare_name_of_a_folder_is_known_as_a_folder(tmp_path, monkeypatch):
    write(tmp_path / "holiday", 3)
    monkeypatch.chdir(tmp_path)
    assert [data.kind(name) for name in ("holiday", "digits", "mnist")] == ["folder", "name", "name"]


def test_the_error_of_an_unknown_name_speaks_of_folders():
    with pytest.raises(ValueError, match="folder of images"):
        data.load("holidai")


def test_a_data_set_goes_before_a_folder_of_the_same_name(tmp_path, monkeypatch):
    write(tmp_path / "digits", 3)
    monkeypatch.chdir(tmp_path)
    assert data.arrays("digits", "test").shape == (300, 8, 8, 1)


def test_subfolders_are_read_too(tmp_path):
    write(tmp_path / "a", 2), write(tmp_path / "b", 3)
    assert len(data.arrays(tmp_path, ALL)) == 5


def test_jpeg_is_read(tmp_path):
    write(tmp_path, 3, (16, 16, 3), "jpg")
    assert data.arrays(tmp_path, ALL).shape == (3, 16, 16, 3)


def test_one_colour_image_makes_the_folder_colour(tmp_path):
    write(tmp_path / "grey", 2, (6, 6)), write(tmp_path / "colour", 2, (6, 6, 3))
    assert data.arrays(tmp_path, ALL).shape == (4, 6, 6, 3)


def test_images_are_cut_to_a_centre_square_and_resized(tmp_path):
    image = np.zeros((8, 16), np.uint8)
    image[:, 4:12] = 255
    Image.fromarray(image).save(tmp_path / "wide.png")
    np.testing.assert_array_equal(data.arrays(tmp_path, ALL, image_size=4), np.ones((1, 4, 4, 1)))


def test_images_of_several_sizes_need_an_image_size(tmp_path):
    write(tmp_path / "a", 1, (6, 6)), write(tmp_path / "b", 1, (8, 8))
    with pytest.raises(ValueError, match="image_size"):
        data.load(tmp_path, ALL)
    assert data.arrays(tmp_path, ALL, image_size=6).shape == (2, 6, 6, 1)


@pytest.mark.parametrize("content", [b"", b"no image at all"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    write(tmp_path, 3)
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(ValueError, match="bad.png"):
        data.load(tmp_path, ALL)


def test_a_truncated_image_is_named(tmp_path):
    write(tmp_path, 3, (64, 64))
    whole = (tmp_path / "name_001.png").read_bytes()
    (tmp_path / "name_001.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="name_001.png"):
        data.load(tmp_path, ALL)


def test_sixteen_bits_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match="deep.png"):
        data.load(tmp_path, ALL)


@pytest.mark.parametrize("name, words", [("nowhere", "must exist"), ("empty", "PNG or JPEG")])
def test_a_folder_without_images_is_refused(tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=words):
        data.load(tmp_path / name)


def test_a_folder_has_no_labels(tmp_path):
    write(tmp_path, 3)
    with pytest.raises(ValueError, match="labels"):
        data.load(tmp_path, ALL, with_labels=True)
