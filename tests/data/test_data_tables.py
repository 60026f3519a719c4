"""Tables of numbers."""

import numpy as np
import pytest

from tfmmd import data
from tfmmd.data import tables

ALL = "train+validation+test"
ROWS = np.random.default_rng(0).normal(size=(20, 3)).round(3).astype(np.float32)


def write(path, header=None, rows=ROWS, delimiter=","):
    np.savetxt(path, rows, delimiter=delimiter, header=header or "", comments="")
    if header is None:
        path.write_text(path.read_text().lstrip("\n"))
    return path


def order(count):
    permuted = np.random.RandomState(0).permutation(count)
    tenth = count // 10
    return {
        "validation": permuted[:tenth],
        "test": permuted[tenth : 2 * tenth],
        "train": permuted[2 * tenth :],
    }


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_table_keeps_its_units_and_is_split_by_the_fixed_permutation(tmp_path, split):
    path = write(tmp_path / "t.csv", "a,b,c")
    np.testing.assert_allclose(data.arrays(str(path), split), ROWS[order(20)[split]], rtol=1e-6)


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_a_header_names_the_columns(tmp_path, suffix, delimiter):
    path = write(tmp_path / f"t.{suffix}", delimiter.join("abc"), delimiter=delimiter)
    assert tables.read(path)[0] == ["a", "b", "c"]


def test_without_a_header_the_columns_have_numbers(tmp_path):
    names, rows = tables.read(write(tmp_path / "t.csv"))
    assert names == ["column_0", "column_1", "column_2"] and len(rows) == 20


def test_columns_that_a_header_counts_are_named_by_their_numbers(tmp_path):
    names, rows = tables.read(write(tmp_path / "t.csv", "0,1,2"))
    assert names == ["0", "1", "2"] and len(rows) == 20


@pytest.mark.parametrize("text", ["0\n1\n", "0,1.0\n2,3\n", "1,2\n3,4\n"])
def test_a_first_row_of_other_numbers_is_data(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    assert len(tables.read(tmp_path / "t.csv")[1]) == 2


@pytest.mark.parametrize("form", ["{}", "table:{}"])
def test_a_numpy_file_is_a_table(tmp_path, form):
    np.save(tmp_path / "t.npy", ROWS)
    loaded = data.arrays(form.format(tmp_path / "t.npy"), ALL)
    assert sorted(loaded[:, 0]) == sorted(ROWS[:, 0])


BAD = {
    "a word": ("a,b\n1,2\n3,red\n", "'red' in line 3, column b"),
    "a missing entry": ("1,2\n3,\n", "'' in line 2, column 1"),
    "a short line": ("1,2\n3\n", "1 in line 2"),
    "a missing entry in the first line": ("1,,3\n4,5,6\n", "'' beside '1' in line 1.*missing entry"),
    "an index of pandas": (",a,b\n0,1,2\n", "empty name for column 0 in line 1.*index=False"),
    "an index and no names": (",0,1\n0,1,2\n", "'' beside '0' in line 1.*index=False"),
    "a name beside a number": ("price,2010\n1,2\n", "'price' beside '2010' in line 1.*no number"),
    "no rows": ("a,b\n", "must have rows"),
    "not finite": ("a,b\n1,2\n1,nan\n", "row 1, column b"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_refused_by_line_and_column(tmp_path, name):
    text, words = BAD[name]
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        data.load(tmp_path / "t.csv")


def test_a_missing_table_is_refused():
    with pytest.raises(ValueError, match="existing file"):
        data.load("nowhere.csv")


def test_a_numpy_file_of_another_rank_is_refused(tmp_path):
    np.save(tmp_path / "t.npy", ROWS[0])
    with pytest.raises(ValueError, match="two axes"):
        data.load(tmp_path / "t.npy")


@pytest.mark.parametrize(
    "options", [{"value_range": (-1, 1)}, {"binarize": "threshold"}, {"image_size": 8}, {"with_labels": True}]
)
def test_options_of_images_are_refused(tmp_path, options):
    with pytest.raises(ValueError):
        data.load(write(tmp_path / "t.csv"), **options)
