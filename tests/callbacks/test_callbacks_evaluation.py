"""The Evaluate callback: when it runs, what it writes, what later callbacks see."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfmmd.callbacks import Evaluate
from tfmmd.metrics import HeldOut
from tfmmd.metrics.features import Extractor

RNG = np.random.RandomState(19)
TEST, VALIDATION = np.float32(RNG.rand(2, 40, 4))


@keras.saving.register_keras_serializable(package="tests")
class Noise(keras.Model):
    """Samples uniform noise whatever it learns."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(), initializer="ones")
        self.built = True

    def call(self, x):
        return x * self.scale

    def sample(self, num_samples, seed=None):
        return tf.random.stateless_uniform([num_samples, 4], [seed, 0])


def fit(callback, epochs=4, **kwargs):
    model = Noise()
    model.compile("sgd", "mse")
    return model.fit(TEST, TEST, epochs=epochs, verbose=0, callbacks=[callback], **kwargs)


def evaluate(**settings):
    settings = {"num_samples": 50, "verbose": 0, **settings}
    return Evaluate("parzen", HeldOut(TEST, VALIDATION), **settings)


def test_it_runs_every_k_epochs_and_at_the_end(tmp_path):
    callback = evaluate(every=2, path=tmp_path / "metrics.json")
    fit(callback, epochs=5)
    history = json.loads((tmp_path / "metrics.json").read_text())["history"]
    assert [entry["epoch"] for entry in history] == [2, 4, 5]
    assert history[0]["parzen"]["num_samples"] == 50


def test_the_logs_hold_the_numbers_for_later_callbacks():
    history = fit(evaluate(), epochs=2).history
    assert len(history["parzen"]) == 2 and "parzen_standard_error" in history


def test_tensorboard_holds_the_numbers(tmp_path):
    callback = evaluate(log_dir=tmp_path)
    fit(callback, epochs=2)
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    values = [float(tf.make_ndarray(e.tensor_proto)) for e in events.Tensors("evaluation/parzen")]
    np.testing.assert_allclose(values, [entry["parzen"]["mean"] for entry in callback.history], rtol=1e-6)


def test_the_same_seed_measures_the_same_samples():
    callback = evaluate()
    fit(callback, epochs=2)
    assert callback.history[0]["parzen"] == callback.history[1]["parzen"]


def test_a_resumed_run_keeps_the_history_and_repeats_no_epoch(tmp_path):
    path = tmp_path / "metrics.json"
    fit(evaluate(path=path), epochs=3)
    fit(evaluate(path=path), epochs=4, initial_epoch=2)
    history = json.loads(path.read_text())["history"]
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4]


def test_no_draft_is_left_behind(tmp_path):
    fit(evaluate(path=tmp_path / "metrics.json"))
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_progress_names_the_measure_and_the_result(capsys):
    fit(evaluate(verbose=1), epochs=1)
    text = capsys.readouterr().err
    assert "evaluating parzen (1 of 1, 50 samples)" in text and "epoch 1: KDE (50 samples)" in text


def test_features_of_the_test_data_are_computed_once():
    calls = []

    def extractor(images):
        calls.append(len(images))
        return np.asarray(images)

    callback = Evaluate(
        ("fid", "precision_recall"), HeldOut(TEST, extractor=extractor), num_samples=50, verbose=0
    )
    fit(callback, epochs=2)
    assert calls.count(40) == 1 and calls.count(50) == 4
    assert {"fid", "precision_recall_precision"} <= set(fit(callback, epochs=1).history)


def test_the_record_names_the_extractor():
    extractor = Extractor(lambda images: images, name="identity")
    callback = Evaluate("fid", HeldOut(TEST, extractor=extractor), num_samples=50, verbose=0)
    fit(callback, epochs=1)
    assert callback.history[0]["fid"]["extractor"] == "identity"


def test_a_measure_of_your_own_is_a_function():
    class Record:
        def to_dict(self):
            return {"mean": 1.5}

    callback = Evaluate({"mine": lambda samples, held_out: Record()}, TEST, num_samples=2, verbose=0)
    assert fit(callback, epochs=1).history["mine"] == [1.5]


def test_an_unknown_measure_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'kid'"):
        Evaluate("kidd", TEST)
