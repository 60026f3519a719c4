import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from export import saved_model, serving_files, text_proto
from tests.export.conftest import NAME


def _entry(models):
    return serving_files.read_models(models)[NAME]


def test_models_config_is_a_model_server_config_with_the_container_path(models):
    config = text_format.Parse(
        (models / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (entry,) = config.model_config_list.config
    assert (entry.name, entry.base_path, entry.model_platform) == (NAME, f"/models/{NAME}", "tensorflow")


def test_two_versions_are_kept(models):
    assert _entry(models).model_version_policy.latest.num_versions == 2


def test_both_labels_name_the_only_version(models):
    assert dict(_entry(models).version_labels) == {"stable": 1, "canary": 1}


def test_labels_follow_a_new_version(models, model):
    saved_model.save(model, models, NAME)
    assert dict(_entry(models).version_labels) == {"stable": 1, "canary": 2}


def test_a_new_models_folder_takes_the_batching_it_is_given(model, tmp_path):
    saved_model.save(model, tmp_path / "m", NAME, batching=serving_files.Batching(sizes=(1, 8)))
    assert serving_files.read_batching(tmp_path / "m").sizes == (1, 8)


def test_an_edited_batching_config_stays(models, model):
    (models / "batching.config").write_text("max_batch_size { value: 8 }\nallowed_batch_sizes: 8\n")
    saved_model.save(model, models, NAME)
    assert serving_files.read_batching(models).sizes == (8,)


def test_every_field_of_the_emitted_batching_config_is_known():
    fields = text_proto.parse(
        serving_files.Batching().text(), serving_files.BATCHING_FIELDS, what="batching.config"
    )
    assert fields["max_batch_size"] == {"value": 64} and fields["allowed_batch_sizes"] == [1, 4, 16, 64]


def test_monitoring_config_turns_prometheus_on(models):
    assert serving_files.read_monitoring(models) == {
        "prometheus_config": {"enable": True, "path": "/monitoring/prometheus/metrics"}
    }


def test_comments_and_commas_are_read():
    text = "# sizes\nmax_batch_size: { value: 4 }, # end\nallowed_batch_sizes: 4 # last"
    assert text_proto.parse(text, serving_files.BATCHING_FIELDS, what="x") == {
        "max_batch_size": {"value": 4},
        "allowed_batch_sizes": [4],
    }


@pytest.mark.parametrize(
    "text, what",
    [
        ("max_batchsize { value: 4 }", "no field named"),
        ("max_batch_size { values: 4 }", "no field named"),
        ("max_batch_size: 4", "without a message"),
        ("max_batch_size { value: 4.5 }", "not of type int"),
        ("max_batch_size { value: 4", "without a closing brace"),
        ("max_batch_size { value: 4 } }", "without an opening brace"),
        ("max_batch_size { value: 4 } max_batch_size { value: 4 }", "twice"),
        ("max_batch_size { value: @ }", "'@ }'"),
        ("allowed_batch_sizes:", "nothing"),
    ],
)
def test_a_wrong_batching_config_is_refused(tmp_path, text, what):
    (tmp_path / "batching.config").write_text(text)
    with pytest.raises(ValueError, match=what):
        serving_files.read_batching(tmp_path)


@pytest.mark.parametrize("sizes", [(4, 1), (1, 2), (1, 1, 4), (0, 4)])
def test_allowed_sizes_ascend_and_end_with_the_largest(tmp_path, sizes):
    lines = ["max_batch_size { value: 4 }", *(f"allowed_batch_sizes: {size}" for size in sizes)]
    (tmp_path / "batching.config").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="must ascend"):
        serving_files.read_batching(tmp_path)


def test_a_wrong_models_config_is_refused(tmp_path):
    (tmp_path / "models.config").write_text("model_config_list { confi { } }")
    with pytest.raises(ValueError, match='no field named "confi"'):
        serving_files.read_models(tmp_path)
