"""The Toronto faces, from a generated file of the same layout."""

import numpy as np
import pytest
from scipy import io

from tfmmd import data
from tfmmd.data import toronto_faces

ROWS, LABELLED = 80, np.arange(0, 80, 2)


def table(size, seed=0):
    """A .mat file's arrays: even rows are labelled; of 40, fold k validates 4 and tests 3."""
    folds = np.zeros((ROWS, 5), np.uint8)
    for k in range(5):
        folds[LABELLED, k] = 1
        folds[LABELLED[8 * k : 8 * k + 4], k] = 2
        folds[LABELLED[8 * k + 4 : 8 * k + 7], k] = 3
    expression = np.full((ROWS, 1), -1)
    expression[LABELLED, 0] = 1 + np.arange(40) % 7
    images = np.random.default_rng(seed).integers(0, 256, (ROWS, size, size), dtype=np.uint8)
    images[:, 0, 0] = np.arange(ROWS)
    return {"images": images, "folds": folds, "labs_ex": expression, "labs_id": np.arange(ROWS)[:, None]}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    manual = folder / "downloads" / "manual"
    manual.mkdir(parents=True)
    for size in toronto_faces.SIZES:
        io.savemat(manual / f"TFD_ranzato_{size}x{size}.mat", table(size))
    return str(folder)


def rows(split, data_dir):
    """Rows of the file in a split, sorted."""
    x = data.arrays("toronto_face_dataset", split, (0, 255), data_dir=data_dir)
    return sorted(np.round(x[:, 0, 0, 0]).astype(int).tolist())


@pytest.mark.parametrize("config, size", [("", 48), ("/48x48", 48), ("/96x96", 96)])
def test_both_sizes_are_read_with_their_pixels(config, size, data_dir):
    x = data.arrays(f"toronto_face_dataset{config}", "fold0_train", (0, 255), data_dir=data_dir)
    expected = table(size)["images"]
    for image in x:
        row = int(round(float(image[0, 0, 0])))
        np.testing.assert_allclose(image[:, :, 0], expected[row], atol=1e-4)


@pytest.mark.parametrize("fold", range(5))
@pytest.mark.parametrize("part", toronto_faces.CODES)
def test_a_fold_holds_the_rows_of_its_code(fold, part, data_dir):
    expected = np.flatnonzero(table(48)["folds"][:, fold] == toronto_faces.CODES[part])
    assert rows(f"fold{fold}_{part}", data_dir) == expected.tolist()


def test_held_out_images_are_as_many_as_the_fold_validates_and_unlabelled(data_dir):
    held_out = [rows(f"fold{k}_held_out", data_dir) for k in range(5)]
    assert [len(part) for part in held_out] == [4] * 5
    assert all(row % 2 == 1 for part in held_out for row in part)


def test_unlabelled_images_are_in_one_split_each(data_dir):
    splits = ["unlabeled", *(f"fold{k}_held_out" for k in range(5))]
    assert sorted(sum((rows(split, data_dir) for split in splits), [])) == list(range(1, 80, 2))


@pytest.mark.parametrize("split, name", toronto_faces.ALIASES.items())
def test_the_usual_split_names_mean_fold_0(split, name, data_dir):
    assert rows(split, data_dir) == rows(name, data_dir)


def test_labels_are_expressions_from_zero(data_dir):
    x, y = data.arrays("toronto_face_dataset", "fold0_test", (0, 255), with_labels=True, data_dir=data_dir)
    expected = table(48)["labs_ex"][np.round(x[:, 0, 0, 0]).astype(int), 0] - 1
    np.testing.assert_array_equal(y, expected)


def test_unlabelled_images_have_label_minus_one(data_dir):
    _, y = data.arrays("toronto_face_dataset", "train", with_labels=True, data_dir=data_dir)
    assert set(y) == {-1}


def test_a_missing_file_says_what_to_put_where(tmp_path):
    with pytest.raises(ValueError, match="TFD_ranzato_48x48.mat"):
        data.load("toronto_face_dataset", data_dir=str(tmp_path))


def test_a_file_of_another_layout_is_refused(tmp_path):
    io.savemat(tmp_path / "other.mat", {"images": np.zeros((3, 48, 48), np.uint8), "folds": np.zeros((2, 5))})
    with pytest.raises(ValueError, match="`folds`"):
        toronto_faces.read_table(tmp_path / "other.mat")
