"""Writes the strips of samples from finished runs of all systems on digits, and puts them into README.md.

for system in gmmn gmmn-ae mmd-gan ...; do python -m trainers run $system; done
python docs/pictures.py runs
"""

import re
import sys
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parent / "images" / "systems"
ROWS = 8  # of a run's samples.png


def main(runs):
    """The first row of samples of every run `runs/SYSTEM-digits-quick` that is finished."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in Path(runs).glob("*-digits-quick"):
        if not (path / "model.keras").exists():
            continue
        name = path.name.removesuffix("-digits-quick")
        grid = Image.open(path / "samples.png")
        strip = grid.crop((0, 0, grid.width, grid.height // ROWS))
        strip.resize((strip.width // 2, strip.height // 2), Image.Resampling.BOX).save(FOLDER / f"{name}.png")


def put_into_readme():
    """Names the strips that there are in the last column of the table of systems."""
    page = Path(__file__).parent.parent / "README.md"
    text = page.read_text()
    for path in FOLDER.glob("*.png"):
        picture = f"![{path.stem}](docs/images/systems/{path.name})"
        text = re.sub(rf"(trainers run {path.stem}` \|[^|\n]*\|)[^|\n]*\|", rf"\1 {picture} |", text)
    page.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs")
    put_into_readme()
