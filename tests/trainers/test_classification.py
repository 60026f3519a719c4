"""Scores of classifying runs, ensembles, mode coverage, the Improved GAN recipes."""

import json

import numpy as np
import pytest

from trainers import __main__ as command_line
from trainers import classification, evaluate, runner

TINY = {"steps": 3, "critic_hidden": [16], "generator_hidden": [16], "initial_rows": 50, "num_samples": 50}


def run(path, system="semi-supervised", seed=0, **overrides):
    options = runner.RunOptions(system, run_dir=str(path), seed=seed, overrides={**TINY, **overrides})
    return runner.run(options)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [str(run(folder / str(seed), seed=seed).path) for seed in (1, 2)]


def test_errors_are_counted_against_the_labels():
    probabilities = np.eye(3)[[0, 1, 2, 2]]
    assert classification.count_errors(probabilities, np.array([0, 1, 1, 2])) == {
        "test errors": 1,
        "test rows": 4,
        "test accuracy": 0.75,
    }


def test_a_run_is_scored_by_its_test_errors(runs):
    scores = evaluate.evaluate(runs[0])
    assert (
        set(scores) == {"test errors", "test rows", "test accuracy", "pixel_kid"}
        and scores["test rows"] == 300
    )


def test_ensemble_scores_every_member_and_all_together(runs, capsys):
    assert command_line.main(["ensemble", *runs, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert list(scores["members"]) == runs
    assert scores["ensemble"]["test rows"] == 300


@pytest.mark.parametrize(("label_seed", "lowest", "highest"), [(1, 50, 50), (None, 51, 100)])
def test_ensemble_counts_the_labels_of_all_its_members(tmp_path, label_seed, lowest, highest):
    paths = [run(tmp_path / str(seed), seed=seed, label_seed=label_seed).path for seed in (1, 2)]
    scores = classification.ensemble(paths)
    assert lowest <= scores["labelled rows"] <= highest
    assert f"{scores['labelled rows']} labelled rows" in classification.report(scores)


def test_an_ensemble_of_one_run_is_refused(runs, capsys):
    assert command_line.main(["ensemble", runs[0]]) == 2
    assert "two runs or more" in capsys.readouterr().err


def test_members_of_different_splits_are_refused(runs, tmp_path, capsys):
    other = run(tmp_path / "all", split="train+validation")
    assert command_line.main(["ensemble", runs[0], str(other.path)]) == 2
    assert "one dataset and split" in capsys.readouterr().err


def test_a_run_that_does_not_classify_is_no_member(runs, tmp_path, capsys):
    other = run(tmp_path / "gan", "improved-gan")
    assert command_line.main(["ensemble", runs[0], str(other.path)]) == 2
    assert "Every member must classify" in capsys.readouterr().err


@pytest.mark.parametrize(
    "settings",
    [
        {"reference_size": 8},
        {"feature_layer": "features", "historical_weight": 0.1, "minibatch_discrimination": False},
        {
            "network": "conv",
            "generator_width": 4,
            "critic_width": 4,
            "value_range": [-1.0, 1.0],
            "image_size": 16,
        },
    ],
    ids=["virtual-batch-norm", "matching-and-history", "conv"],
)
def test_every_switch_of_the_improved_gan_recipe_runs(settings, tmp_path):
    assert run(tmp_path / "a", "improved-gan", **settings).model.exists()


def test_even_samples_have_the_highest_entropy():
    even = classification.coverage_of(np.eye(4)[[0, 1, 2, 3] * 5])
    assert even["classes present"] == 4
    np.testing.assert_allclose(even["entropy"], even["highest entropy"])


def test_a_collapsed_sample_has_one_class_and_no_entropy():
    collapsed = classification.coverage_of(np.eye(4)[[2] * 20])
    assert (collapsed["classes present"], collapsed["entropy"]) == (1, 0.0)


def test_a_class_below_a_tenth_of_its_share_is_absent():
    rows = np.eye(2)[[0] * 96 + [1] * 4]
    assert classification.coverage_of(rows)["classes present"] == 1


def test_coverage_without_a_classifier_says_how_to_make_one(tmp_path):
    class Data:
        dataset = "digits"

    settings = {"features": str(tmp_path / "missing.keras")}
    scores = classification.mode_coverage(None, Data(), settings)
    assert "run lenet" in scores["mode coverage"]["not measured"]


def test_recipe_takes_the_paper_settings_for_mnist():
    from trainers import systems

    settings = systems.recipe("semi-supervised").resolve("mnist", "paper")
    assert (settings.steps, settings.learning_rate, settings.batch_size) == (180_000, 0.003, 100)
    assert (settings.split, settings.labels_per_class, settings.average_decay) == (
        "train+validation",
        10,
        0.9999,
    )


@pytest.mark.parametrize("wrong", [{"labels_per_class": 0}, {"labels_per_class": 5000}, {"label_seed": -1}])
def test_labels_that_there_are_not_are_refused_before_a_folder_is_made(tmp_path, wrong):
    with pytest.raises(ValueError, match="per_class|seed"):
        run(tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()
