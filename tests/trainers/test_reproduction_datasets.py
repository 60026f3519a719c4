"""The rows of the book that need data one downloads: wired up, and run for a few steps on mocked data."""

import contextlib

import numpy as np
import pytest
import tensorflow_datasets as tfds
from scipy import io

from tests.data.test_data_toronto_faces import table as faces
from tfmmd.data import toronto_faces
from trainers import runner, systems
from trainers.reproduction import contents, tables

SMALL = {  # of every setting that a recipe has: small networks, few rows
    "steps": 2,
    "batch_size": 6,
    "report_every": 2,
    "checkpoint_every": 2,
    "num_samples": 8,
    "generator_filters": 4,
    "critic_filters": 4,
    "generator_width": 8,
    "critic_width": 8,
    "encoder_filters": (4, 4, 4, 4),
    "decoder_filters": (4, 4, 4, 4),
    "encoder_updates": 1,
    "encoder_batch_size": 6,
    "initial_rows": 6,
    "labels_per_class": 1,
    "reference_size": 4,
    "kid_schedule": False,
    "pretraining_updates": 1,
    "layer_updates": 1,
    "finetuning_updates": 1,
}


def downloaded():
    return [
        pytest.param(row, dataset, id=f"{table.name}-{row.label}-{dataset}")
        for table in contents.TABLES.values()
        for dataset in table.datasets[1:]
        for row in table.rows_for(dataset)
    ]


@contextlib.contextmanager
def data_of(dataset, folder, monkeypatch):
    """Data of a set without its download: mocked by TFDS, or a generated file of the same layout."""
    if dataset != contents.TFD:
        with tfds.testing.mock_data(num_examples=120):
            yield
        return
    manual = folder / "downloads" / "manual"
    manual.mkdir(parents=True)
    for size in toronto_faces.SIZES:
        io.savemat(manual / f"TFD_ranzato_{size}x{size}.mat", faces(size))
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    yield


@pytest.mark.slow
@pytest.mark.parametrize("row, dataset", downloaded())
@pytest.mark.filterwarnings("ignore")
def test_a_row_trains_on_the_dataset(row, dataset, tmp_path, monkeypatch):
    preset, overrides = row.recipe("paper")
    usual = systems.recipe(row.system).resolve(dataset, preset, overrides)
    small = {**overrides, **{name: value for name, value in SMALL.items() if name in usual}}
    with data_of(dataset, tmp_path / "tfds", monkeypatch):
        folder = runner.run(
            runner.RunOptions(row.system, dataset, preset, str(tmp_path / "run"), overrides=small)
        )
        model, _, run_data = runner.load(folder.path)
        samples = np.asarray(model.sample(2, seed=1))
        assert samples.shape == (2, *run_data.sample_shape)
    assert np.isfinite(samples).all()


@pytest.mark.parametrize("table", contents.TABLES.values(), ids=lambda t: t.name)
def test_every_dataset_of_a_table_has_rows(table):
    for dataset in table.datasets:
        assert table.experiment or tables.cells(table, "quick", dataset, 1)
