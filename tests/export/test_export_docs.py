"""What docs/serving.md says of the files is what `export save` writes."""

import re
from pathlib import Path

import pytest

from export import launch, model_card, reference, serving_files, warmup

PAGE = (Path(__file__).parent.parent.parent / "docs" / "serving.md").read_text()


@pytest.mark.parametrize(
    "name",
    [
        serving_files.MODELS,
        serving_files.BATCHING,
        serving_files.MONITORING,
        Path(warmup.PATH).name,
        Path(reference.PATH).name,
        Path(model_card.PATH).name,
        serving_files.METRICS_PATH,
    ],
)
def test_the_page_names_the_file(name):
    assert name in PAGE


def test_the_container_gets_the_flags_that_serve_passes():
    passed = {part.split("=")[0] for part in launch.command("x", Path("models"), Path("c"), 1, 2)[1:]}
    assert passed <= set(re.findall(r"(--\w+)=", PAGE))


def test_every_python_block_compiles():
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        compile(block, "serving.md", "exec")


def test_the_default_sizes_of_the_page_are_those_of_the_code():
    assert f"| `allowed_batch_sizes` | {', '.join(map(str, serving_files.Batching().sizes))} |" in PAGE
