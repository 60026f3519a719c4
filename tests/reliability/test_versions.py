"""Files of other versions: read where that is possible, refused clearly where not; no code is loaded."""

import json
import re
import zipfile
from pathlib import Path

import keras
import pytest

from tests.reliability.test_damage import small
from trainers import recipe, runner, systems
from trainers.run_folder import RunFolder, save_model, write_json

ROOT = Path(__file__).parents[2]
CONFIG = {"system": "gmmn", "dataset": "digits", "preset": "quick", "seed": 0, "settings": {}}


def change_config(path, change):
    """Rewrites the `config.json` in a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config["config"])
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path)
    write_json(folder.config, CONFIG)
    save_model(small(), folder.model)
    return folder


def test_a_setting_that_an_older_run_lacks_takes_todays_default(run):
    settings = runner.load(run.path)[2].settings
    assert settings.batch_size == systems.recipe("gmmn").resolve("digits", "quick").batch_size
    assert isinstance(settings, recipe.Settings)


def test_a_model_of_an_older_version_takes_todays_defaults(run):
    change_config(run.model, lambda config: config.pop("seed"))
    assert runner.load(run.path)[0].seed == 0


def test_a_model_with_settings_of_a_newer_version_is_refused_with_the_versions(run):
    change_config(run.model, lambda config: config.update(colour="red"))
    write_json(run.config, {**CONFIG, "versions": {"tfmmd": "9.9"}})
    with pytest.raises(ValueError, match=r"'tfmmd': '9.9'.*colour"):
        runner.load(run.path)


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b"text"])
def test_a_damaged_model_is_refused_with_its_path(run, damage):
    run.model.write_bytes(damage(run.model.read_bytes()))
    with pytest.raises(ValueError, match=r"model.keras must be whole.*Received: .*model.keras"):
        runner.load(run.path)


def test_a_model_that_holds_code_is_not_loaded(run):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)])
    model.save(run.model)
    with pytest.raises(ValueError, match="Lambda"):
        runner.load(run.path)


def test_weights_of_another_architecture_are_refused(run, tmp_path):
    other = small().generator
    other.save(tmp_path / "other.keras")
    with zipfile.ZipFile(tmp_path / "other.keras") as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(run.model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(run.model, "w") as archive:
        for name, data in {**members, "model.weights.h5": weights}.items():
            archive.writestr(name, data)
    with pytest.raises(ValueError, match="model.keras must be whole"):
        runner.load(run.path)


def test_nothing_is_unpickled_and_safe_mode_is_never_left():
    unsafe = re.compile(
        r"import pickle|allow_pickle\s*=\s*True|safe_mode\s*=\s*False|enable_unsafe|eval\(|exec\("
    )
    for package in ("tfmmd", "trainers", "export"):
        for path in (ROOT / package).rglob("*.py"):
            assert not unsafe.search(path.read_text()), path
