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


def refusal(path, folder=None):
    """What is said of a file of 48x48 images, through the public door if it lies in a folder of data."""
    with pytest.raises(ValueError) as error:
        if folder is None:
            toronto_faces.read_table(path, 48)
        else:
            data.load("toronto_face_dataset", data_dir=str(folder))
    return str(error.value)


@pytest.fixture
def saved(tmp_path):
    """Function that saves the usual table with some arrays changed; gives the path of the file."""

    def save(**changed):
        path = tmp_path / "downloads" / "manual" / "TFD_ranzato_48x48.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        io.savemat(path, {**table(48), **changed})
        return path

    return save


def test_doubles_that_hold_whole_numbers_are_read_as_they_are(saved):
    images = table(48)["images"]
    read = toronto_faces.read_table(saved(images=images.astype(np.float64)), 48)["images"]
    np.testing.assert_array_equal(read, images)


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0, np.nan, np.inf])
def test_images_that_are_no_grey_levels_are_refused(value, saved):
    images = table(48)["images"].astype(np.float64)
    images[3, 2, 1] = value
    path = saved(images=images)
    assert f"{path} with float64 {value} among them" in refusal(path)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, bool])
def test_images_from_0_to_1_are_refused(dtype, saved):
    path = saved(images=(table(48)["images"] / 255).round().astype(dtype))
    assert f"{path} with none above 1" in refusal(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"labs_ex": np.ones((ROWS - 1, 1))},
        {"labs_id": np.ones((ROWS + 1, 1))},
        {"folds": np.ones((ROWS, 4))},
        {"folds": np.ones((ROWS - 1, 5))},
        {"images": np.ones((ROWS, 48 * 48), np.uint8)},
        {"images": np.ones((ROWS, 96, 96), np.uint8)},
    ],
)
def test_arrays_of_other_shapes_are_refused_with_the_shapes(changed, saved):
    ((name, array),) = changed.items()
    message = refusal(saved(**changed))
    assert f"'{name}': {array.shape}" in message and "TFD_ranzato_48x48.mat" in message


def test_a_file_without_an_array_is_refused(tmp_path):
    io.savemat(tmp_path / "other.mat", {"images": np.zeros((3, 48, 48), np.uint8)})
    assert "`labs_id`" in refusal(tmp_path / "other.mat")


@pytest.mark.parametrize("name", ["folds", "labs_ex", "labs_id"])
def test_labels_that_are_not_whole_numbers_are_refused(name, saved):
    broken = table(48)[name].astype(np.float64)
    broken[5, 0] = np.nan
    assert f"`{name}` must be whole numbers" in refusal(saved(**{name: broken}))


@pytest.mark.parametrize("code, split", [(1, "fold2_train"), (2, "fold2_validation"), (3, "fold2_test")])
def test_a_fold_without_rows_is_refused(code, split, saved):
    folds = table(48)["folds"]
    folds[folds[:, 2] == code, 2] = 4
    path = saved(folds=folds)
    assert f"{path} with no rows for {split}" in refusal(path)


def test_too_few_unlabelled_images_are_refused(saved):
    folds = table(48)["folds"]
    folds[1::2][:30] = 4
    assert "fold4_held_out, unlabeled" in refusal(saved(folds=folds))


@pytest.mark.parametrize("content", [b"", b"no mat at all" * 100])
def test_a_file_that_is_no_mat_is_refused(content, saved):
    path = saved()
    path.write_bytes(content)
    assert f"{path}, which cannot be read" in refusal(path)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("part", [0.001, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(part, compressed, saved):
    path = saved()
    io.savemat(path, table(48), do_compression=compressed)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert str(path) in refusal(path)


def test_a_file_of_version_7_3_is_told_how_to_be_saved(saved):
    path = saved()
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF")
    assert "'-v7'" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"x" * 1000])
def test_a_damaged_file_is_not_taken_for_a_missing_network(content, saved, tmp_path):
    saved().write_bytes(content)
    assert refusal(None, tmp_path).startswith("The file must be a .mat")


def test_float_images_are_refused_by_the_public_door(saved, tmp_path):
    saved(images=table(48)["images"] / 255)
    assert refusal(None, tmp_path).startswith("`images` must be whole numbers, from 0 to 255.")
