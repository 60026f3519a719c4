"""Recipes and their settings."""

import types

import pytest

from tfmmd import callbacks
from trainers import gan, systems
from trainers.recipe import COMMON, parse_overrides
from trainers.run_data import RunData

NAMES = systems.names()
CRITICS = ["gan", "wgan-gp", "cramer-gan", "mmd-gan"]


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_has_the_quick_and_the_paper_preset(name):
    assert {"quick", "paper"} <= set(systems.recipe(name).presets)


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_and_dataset_changes_known_settings_only(name):
    recipe = systems.recipe(name)
    known = set(COMMON) | set(recipe.settings)
    changes = [*recipe.presets.values(), *recipe.datasets.values(), *recipe.special.values()]
    assert set().union(*changes) <= known


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_listed_under_its_own_name(name):
    assert systems.recipe(name).system == name


def test_the_special_setting_wins_and_the_command_line_wins_over_it():
    recipe = systems.recipe("gmmn")
    assert recipe.resolve("mnist", "paper").steps == 40_000
    assert recipe.resolve("digits", "quick").steps == 2_000
    assert recipe.resolve("digits", "quick", {"steps": 3}).steps == 3


@pytest.mark.parametrize("name", CRITICS)
def test_the_critics_initial_steps_are_handed_to_compile(name):
    recipe, told = systems.recipe(name), {}
    settings = recipe.resolve("digits", "quick", {"initial_critic_steps": 7})
    recipe.compile(types.SimpleNamespace(compile=lambda **options: told.update(options)), settings)
    assert told["initial_critic_steps"] == 7


@pytest.mark.parametrize("name", [*CRITICS, "improved-gan", "semi-supervised"])
def test_runs_of_a_generator_against_a_critic_have_an_alarm_for_collapse(name):
    recipe = systems.recipe(name)
    settings = recipe.resolve("digits", "quick", {"steps": 2_000, "report_every": 50})
    found = recipe.callbacks(settings, RunData("digits", settings, 0))
    assert [alarm.warmup for alarm in found if isinstance(alarm, callbacks.CollapseAlarm)] == [20]


@pytest.mark.parametrize("network", gan.NETWORKS)
def test_gan_has_the_players_of_its_network(network):
    settings = gan.RECIPE.resolve("digits", "quick", {"network": network})
    model = gan.RECIPE.build(settings, RunData("digits", settings, 0))
    convolutions = [
        any("conv" in layer.name for layer in player.layers) for player in (model.generator, model.critic)
    ]
    assert convolutions == ["dcgan" in network, network == "dcgan"]
    assert model.sample(3, seed=1).shape == (3, 8, 8, 1)


@pytest.mark.parametrize("name", ["improved-gan", "semi-supervised"])
@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "svhn_cropped"])
def test_improved_gan_trains_on_all_training_rows_of_the_papers_sets(name, dataset):
    assert systems.recipe(name).resolve(dataset, "paper").split == "train+validation"


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'gmmn'"):
        systems.recipe("gmn")
    with pytest.raises(ValueError, match="Did you mean 'quick'"):
        systems.recipe("gmmn").resolve("digits", "quik")
    with pytest.raises(ValueError, match="'batch_size'"):
        systems.recipe("gmmn").resolve("digits", "quick", {"batchsize": 3})


def test_overrides_are_json_or_text():
    assert parse_overrides(["a=1", "b=[1, 2]", "c=median", "d=1e-3", "e=[adam, sgd]", "f=1..2:log"]) == {
        "a": 1,
        "b": [1, 2],
        "c": "median",
        "d": 1e-3,
        "e": ["adam", "sgd"],
        "f": "1..2:log",
    }


def test_words_of_python_are_understood():
    overrides = parse_overrides(["a=True", "b=False", "c=None"])
    assert overrides == {"a": True, "b": False, "c": None}


@pytest.mark.parametrize("name, value", [("shard_rows", "no"), ("shard_rows", 1), ("batch_size", "many")])
def test_values_of_another_kind_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        systems.recipe("gmmn").resolve("digits", "quick", {name: value})


def test_an_override_without_a_value_is_refused():
    with pytest.raises(ValueError, match="key=value"):
        parse_overrides(["steps"])
