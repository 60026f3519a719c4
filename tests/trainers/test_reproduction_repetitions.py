"""Rows of the reproduction book whose seeds vote, or choose the labels alone."""

import pytest

from tests.trainers.test_reproduction import in_this_process
from trainers.reproduction import cells, contents, processes, tables
from trainers.run_folder import write_json


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """The rows of a table whose second row is an ensemble of two runs, and the folder of the runs."""
    sizes = {"steps": 2, "critic_hidden": [8], "generator_hidden": [8], "initial_rows": 50, "num_samples": 50}
    rows = [
        tables.Row("alone", "semi-supervised", ("quick", sizes)),
        tables.Row("together", "semi-supervised", ("quick", {**sizes, "label_seed": 0}), ensemble=True),
    ]
    table = tables.Table("votes", "Votes", (contents.ERRORS,), rows, ("digits",), ("test_errors",))
    runs = tmp_path_factory.mktemp("votes")
    run = table, "quick", "digits", 2, runs, lambda line: None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes.Processes, "outcome", in_this_process)
        cells.run_table(*run)
        for folder in runs.iterdir():
            write_json(folder / "seconds.json", {"seconds": 90.0})
        return cells.run_table(*run), runs


def test_an_ensemble_has_one_score_and_the_minutes_of_its_members(ensemble):
    (together,) = ensemble[0]["together"]
    assert together["members"] == 2 and together["metrics"]["test rows"] == 300
    assert together["minutes"] == 3.0


def test_the_member_with_labels_of_its_own_seed_is_the_run_of_the_row_alone(ensemble):
    assert len(list(ensemble[1].iterdir())) == 3
    assert [record["seed"] for record in ensemble[0]["alone"]] == [0, 1]


def test_repetitions_of_a_row_of_one_start_differ_in_their_labels_alone():
    row = tables.Row("one start", "semi-supervised", ("quick", {"steps": 2}), varies="label_seed")
    table = tables.Table("votes", "Votes", rows=(row,), datasets=("digits",))
    first, second = tables.cells(table, "quick", "digits", 2)
    assert (first.seed, second.seed) == (0, 0) and first.training["label_seed"] is None
    assert second.training == {**first.training, "label_seed": 1}
    assert [first.name, second.name] == ["one start, seed 0", "one start, seed 0, label_seed 1"]
