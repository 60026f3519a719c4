import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from export import reference, saved_model, server, verify, verify_checks, warmup
from export.session import LoadedModel
from tests import systems
from tests.export.conftest import NAME


def _findings(report):
    return {finding.name: finding for finding in report.findings}


def _failed(report):
    return [finding.name for finding in report.findings if not finding.passed]


@pytest.fixture
def version(models):
    return models / NAME / "1"


@pytest.fixture
def subject(written):
    """What the checks look at; replace its parts to break it."""
    path = written / NAME / "1"
    model = LoadedModel(path)
    yield verify_checks.Subject(path, model, call=model.run, again=model.run, live=None, max_rows=8)
    model.close()


def test_the_newest_version_of_a_model_folder_is_checked(models, new_version):
    assert verify.verify(models / NAME).path.name == "1"
    new_version(3)
    assert verify.verify(models / NAME).path.name == "3"


def test_a_run_is_compared_bit_for_bit(version, run_dir):
    finding = _findings(verify.verify(version, run_dir=run_dir))["equals the Keras model"]
    assert finding.passed and "the run's model: bit-equal" in finding.detail


def test_another_run_does_not_pass(version, run_dir):
    other = systems.gmmn()
    other.save(run_dir / "model.keras")
    assert _failed(verify.verify(version, run_dir=run_dir)) == ["equals the Keras model"]


def test_the_report_is_json(version):
    report = json.loads(json.dumps(verify.as_json(verify.verify(version))))
    assert report["passed"] is True and len(report["checks"]) == 8


def test_a_version_that_does_not_load_fails_without_further_checks(version):
    (version / "saved_model.pb").write_bytes(b"x")
    assert _failed(verify.verify(version)) == ["loads in a TF1 session"]


def test_missing_warm_up_records_fail(version):
    (version / warmup.PATH).unlink()
    assert _failed(verify.verify(version)) == ["warm-up records replay"]


def test_missing_answers_fail_and_say_how_to_compare(version):
    (version / reference.PATH).unlink()
    finding = _findings(verify.verify(version))["equals the Keras model"]
    assert not finding.passed and "--run" in finding.detail


@pytest.mark.serving
def test_a_server_of_another_model_does_not_pass(models, tmp_path):
    shutil.copytree(models, tmp_path / "served")
    saved_model.save(systems.gmmn(), tmp_path / "other", NAME)
    with server.running(tmp_path / "other") as handle:
        failed = _failed(verify.verify(models / NAME, url=handle.grpc_address))
    assert f"equals the Keras model ({handle.grpc_address})" in failed


@pytest.mark.serving
def test_a_server_that_is_not_there_fails(models):
    report = verify.verify(models / NAME, url="127.0.0.1:1")
    assert not report.passed and "UNAVAILABLE" in verify.text(report)


def test_a_path_without_a_version_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="holds versions"):
        verify.verify(tmp_path)


# -- what each check catches -------------------------------------------------------------------------------


def test_python_inside_is_caught(tmp_path):
    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="seed")])
        def run(self, seed):
            return {"samples": tf.ensure_shape(tf.numpy_function(lambda s: s * 2, [seed], tf.int64), [None])}

    module = Model()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": module.run})
    subject = verify_checks.Subject(tmp_path / "1", None, None, None, None, 8)
    with pytest.raises(verify_checks.Failed, match="PyFunc"):
        verify_checks.operations(subject)


def test_a_missing_signature_is_caught(subject):
    del subject.model.signatures["decode"]
    with pytest.raises(verify_checks.Failed, match="'decode' is missing"):
        verify_checks.signatures(subject)


def test_a_signature_without_a_batch_dimension_is_caught(subject):
    subject.model.signatures["decode"].inputs["latent"].tensor_shape.dim[0].size = 4
    with pytest.raises(verify_checks.Failed, match="no leading batch"):
        verify_checks.signatures(subject)


def test_a_seed_of_another_type_is_caught(subject):
    subject.model.signatures["sample"].inputs["seed"].dtype = tf.int32.as_datatype_enum
    with pytest.raises(verify_checks.Failed, match="int64"):
        verify_checks.signatures(subject)


def _spoiled(subject, spoil):
    def call(key, inputs):
        return {name: spoil(value) for name, value in subject.model.run(key, inputs).items()}

    return dataclasses.replace(subject, call=call)


def test_nan_is_caught(subject):
    with pytest.raises(verify_checks.Failed, match="not finite"):
        verify_checks.shapes(_spoiled(subject, lambda value: value * np.nan))


def test_a_missing_row_is_caught(subject):
    with pytest.raises(verify_checks.Failed, match="2 rows for 3"):
        verify_checks.shapes(_spoiled(subject, lambda value: value[1:]))


def test_another_shape_is_caught(subject):
    with pytest.raises(verify_checks.Failed, match="has shape"):
        verify_checks.shapes(_spoiled(subject, lambda value: value[:, 1:]))


def test_noise_without_a_seed_is_caught(subject):
    rng = np.random.default_rng(0)
    with pytest.raises(verify_checks.Failed, match="differs"):
        verify_checks.deterministic(_spoiled(subject, lambda value: value + rng.normal()))


def test_a_row_that_depends_on_its_neighbours_is_caught(subject):
    with pytest.raises(verify_checks.Failed, match="differs"):
        verify_checks.batch_independent(_spoiled(subject, lambda value: value - value.mean(0)))


def test_a_row_may_round_by_its_place_in_the_batch(subject):
    rounded = _spoiled(subject, lambda value: value * np.float32(1 + 1e-7 * len(value)))
    assert "largest difference" in verify_checks.batch_independent(rounded)


def test_answers_unlike_the_keras_model_are_caught(subject):
    with pytest.raises(verify_checks.Failed, match="differs"):
        verify_checks.equals_keras(_spoiled(subject, lambda value: value + np.float32(1e-3)))


def test_a_version_for_requests_of_one_row_is_verified(subject):
    assert "1 to 1 rows" in verify_checks.batch_independent(dataclasses.replace(subject, max_rows=1))
