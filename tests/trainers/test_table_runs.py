"""Runs on tables."""

import csv
import json

import numpy as np
import pytest

from tfmmd import data
from trainers import __main__ as command_line
from trainers import runner
from trainers.run_folder import read_json

UNITS = np.array([1e4, 1e-2])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    rows = (np.random.default_rng(0).normal(size=(300, 2)) + [3.0, -2.0]) * UNITS
    np.savetxt(path, rows, delimiter=",", header="price,rate", comments="")
    return path


@pytest.fixture(scope="module")
def run(table):
    path = table.parent / "run"
    sizes = ["--steps", "150", "--batch-size", "100", "--set", "hidden=[32]", "--set", "num_samples=200"]
    assert command_line.main(["run", "gmmn", "--dataset", str(table), "--run-dir", str(path), *sizes]) == 0
    return path


def test_sampled_rows_are_in_the_units_of_the_table_under_its_names(run):
    with open(run / "samples.csv") as file:
        names, *rows = csv.reader(file)
    values = np.array(rows, float)
    assert names == ["price", "rate"] and values.shape == (200, 2)
    np.testing.assert_allclose(values.mean(0) / UNITS, [3.0, -2.0], atol=0.5)  # half a standard deviation
    assert (values.std(0) / UNITS > 0.4).all()


def test_the_run_draws_its_columns(run):
    assert (run / "columns.png").stat().st_size > 5000


def test_scores_are_measured_in_standard_deviations(run, table):
    model, _, run_data = runner.load(run)
    unit = run_data.unit(data.arrays(str(table)))
    np.testing.assert_allclose(unit.mean(0), 0.0, atol=1e-4)
    np.testing.assert_allclose(unit.std(0), 1.0, atol=1e-4)
    score = read_json(run / "metrics.json")["parzen"]
    assert (
        -5.0 < score["mean"] < -2.0 and score["bandwidth"] < 1.6
    )  # a standard normal in the plane has -2.84


def test_other_systems_refuse_tables_and_say_what_to_use(table, capsys):
    assert command_line.main(["run", "vae", "--dataset", str(table)]) == 2
    assert "gmmn" in capsys.readouterr().err


def test_points_in_the_plane_are_learned_on_both_sides_of_zero(tmp_path):
    sizes = {"steps": 60, "batch_size": 100, "hidden": [32], "num_samples": 100}
    folder = runner.run(runner.RunOptions("gmmn", "rings", run_dir=str(tmp_path / "r"), overrides=sizes))
    samples = runner.load(folder.path)[0].sample(100, seed=0).numpy()
    assert (samples.min(0) < -0.1).all() and (samples.max(0) > 0.1).all()


def test_list_knows_the_run(run, capsys):
    assert command_line.main(["list", "--runs", str(run.parent), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["scores"]["parzen"] < 0


def test_the_rows_of_a_table_are_not_called_images(run):
    assert "training rows" in read_json(run / "metrics.json")["parzen anchors"]
