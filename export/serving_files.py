"""The files TensorFlow Serving reads beside the models: models.config, batching.config, monitoring.config."""

import dataclasses
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from export import text_proto, versions
from tfmmd import checks

CONTAINER_ROOT = "/models"  # where the official container's commands mount the models folder
METRICS_PATH = "/monitoring/prometheus/metrics"
KEPT_VERSIONS = 2
MODELS, BATCHING, MONITORING = "models.config", "batching.config", "monitoring.config"

_INT, _TEXT = {"value": int}, {"value": str}
BATCHING_FIELDS = {  # BatchingParameters in session_bundle_config.proto
    "max_batch_size": _INT,
    "batch_timeout_micros": _INT,
    "max_enqueued_batches": _INT,
    "num_batch_threads": _INT,
    "thread_pool_name": _TEXT,
    "allowed_batch_sizes": [int],
    "pad_variable_length_inputs": bool,
    "enable_large_batch_splitting": bool,
    "max_execution_batch_size": _INT,
}
MONITORING_FIELDS = {"prometheus_config": {"enable": bool, "path": str}}


@dataclasses.dataclass(frozen=True)
class Batching:
    """How a server merges requests.

    Args:
        sizes: Sizes that batches are padded to, ascending; the last is the largest request.
        timeout_micros: How long a request waits for others.
        threads: Batches that run at a time.
        queued: Batches that wait at most.
    """

    sizes: tuple = (1, 4, 16, 64)
    timeout_micros: int = 1000
    threads: int = 4
    queued: int = 256

    @property
    def max_rows(self):
        """Rows of the largest request."""
        return self.sizes[-1]

    def text(self):
        """The text of batching.config."""
        numbers = {
            "max_batch_size": self.max_rows,
            "batch_timeout_micros": self.timeout_micros,
            "max_enqueued_batches": self.queued,
            "num_batch_threads": self.threads,
        }
        lines = [f"{name} {{ value: {number} }}" for name, number in numbers.items()]
        return "\n".join([*lines, *(f"allowed_batch_sizes: {size}" for size in self.sizes)]) + "\n"


def write(models_dir, batching=None):
    """Writes the three files for the models that are in the folder.

    models.config always follows the versions on disk. The other two are written once: an edited file stays.

    Args:
        models_dir: Folder of the models.
        batching: `Batching` for a new batching.config.
    """
    folder = Path(models_dir)
    if not (folder / BATCHING).exists():
        versions.write_text(folder / BATCHING, (batching or Batching()).text())
    if not (folder / MONITORING).exists():
        versions.write_text(folder / MONITORING, monitoring_config())
    versions.write_text(folder / MODELS, models_config(folder))  # last: without the others it stays as it was


def models_config(models_dir, root=CONTAINER_ROOT):
    """The text of models.config.

    The newest two versions are served; label `canary` is the newest, `stable` the one before it (where there
    is one). A request without a label or version gets the newest.

    Args:
        models_dir: Folder of the models.
        root: The same folder as the server sees it.
    """
    config = model_server_config_pb2.ModelServerConfig()
    for name in versions.names(models_dir):
        entry = config.model_config_list.config.add()
        entry.name, entry.base_path, entry.model_platform = name, f"{root}/{name}", "tensorflow"
        entry.model_version_policy.latest.num_versions = KEPT_VERSIONS
        newest = versions.numbers(Path(models_dir) / name)[-KEPT_VERSIONS:]
        entry.version_labels["canary"], entry.version_labels["stable"] = newest[-1], newest[0]
    return text_format.MessageToString(config)


def monitoring_config():
    """The text of monitoring.config: Prometheus metrics on the REST port."""
    return f'prometheus_config {{\n  enable: true\n  path: "{METRICS_PATH}"\n}}\n'


def read_models(models_dir):
    """`ModelConfig` by name from models.config, an empty dict where there is none.

    Raises:
        ValueError: If the file is not a `ModelServerConfig`.
    """
    path = Path(models_dir) / MODELS
    if not path.exists():
        return {}
    try:
        config = text_format.Parse(path.read_text(), model_server_config_pb2.ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        checks.fail(
            f"{MODELS} must be a ModelServerConfig.", str(error), "Run `export save` again to rewrite it."
        )
    return {entry.name: entry for entry in config.model_config_list.config}


def read_batching(models_dir):
    """The `Batching` of batching.config, the default where there is none.

    Raises:
        ValueError: If a field is unknown or the sizes do not fit.
    """
    path = Path(models_dir) / BATCHING
    if not path.exists():
        return Batching()
    fields = text_proto.parse(path.read_text(), BATCHING_FIELDS, what=BATCHING)
    largest = fields.get("max_batch_size", {}).get("value", Batching().max_rows)
    sizes = tuple(fields.get("allowed_batch_sizes", [largest]))
    if list(sizes) != sorted(set(sizes)) or sizes[-1] != largest or sizes[0] < 1:
        checks.fail(
            "allowed_batch_sizes must ascend and end with max_batch_size.",
            f"allowed_batch_sizes={sizes}, max_batch_size={largest}",
            f"Mend {BATCHING}.",
        )
    return Batching(sizes=sizes)


def read_monitoring(models_dir):
    """The fields of monitoring.config, an empty dict where there is none."""
    path = Path(models_dir) / MONITORING
    return text_proto.parse(path.read_text(), MONITORING_FIELDS, what=MONITORING) if path.exists() else {}
