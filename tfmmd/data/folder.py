"""A folder of PNG and JPEG images."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from tfmmd import checks
from tfmmd.data import source as sources
from tfmmd.data import splits

PREFIX = "folder:"
SUFFIXES = (".png", ".jpg", ".jpeg")
MAX_BYTES = 2**33
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def is_path(name):
    """Whether a name can only be meant as a folder: a path object, "folder:...", "/...", "./...", "~..."."""
    return isinstance(name, os.PathLike) or str(name).startswith((PREFIX, "/", ".", "~"))


def source(name, split, image_size=None):
    """Images of a folder and its subfolders, sorted by name, held in memory.

    Of n images, n // 10 are "validation", n // 10 "test" and the rest "train", by a fixed permutation.

    Args:
        name: The path, also with "folder:" before it.
        split: A split expression.
        image_size: Side to which the centre square is resized; None needs images of one size.
    """
    folder = Path(str(name).removeprefix(PREFIX)).expanduser()
    paths = _paths(folder)
    rows = splits.select(split, splits.thirds(len(paths), len(paths) // 10, len(paths) // 10))
    with ThreadPoolExecutor() as pool:
        headers = list(pool.map(_header, paths))
        mode = "L" if all(mode in GREY for _, mode in headers) else "RGB"
        sizes = [size if image_size is None else (image_size, image_size) for size, _ in headers]
        _check_sizes(paths, sizes, len(rows) * (1 if mode == "L" else 3))
        pixels = list(pool.map(lambda row: _decode(paths[row], mode, image_size), rows))
    return sources.from_arrays(np.stack(pixels), white=255)


def _paths(folder):
    if not folder.is_dir():
        checks.fail(
            "A folder of images must exist.", f"path={str(folder)!r}", "Give the path of a directory."
        )
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    if not found:
        checks.fail(
            "A folder of images must hold PNG or JPEG files.",
            f"path={str(folder)!r} with none",
            f"Give files that end in {', '.join(SUFFIXES)}.",
        )
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _header(path):
    """Size (width, height) and colour mode of a file."""
    with _readable(path) as image:
        if image.mode not in GREY + COLOUR:
            checks.fail(
                "Images must have 8 bits in every channel.",
                f"{path} of mode {image.mode!r}",
                "Convert it first.",
            )
        return image.size, image.mode


def _readable(path):
    try:
        return Image.open(path)
    except (OSError, SyntaxError, ValueError) as error:
        return _fail(path, error)


def _decode(path, mode, image_size):
    """Pixels uint8 `[h, w, c]`."""
    with _readable(path) as image:
        try:
            image = image.convert(mode)
        except (OSError, SyntaxError, ValueError) as error:
            _fail(path, error)
    if image_size is not None and image.size != (image_size, image_size):
        image = _square(image).resize((image_size, image_size), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(image.size[1], image.size[0], -1)


def _square(image):
    """The centre square; cut before resizing, whose filter would mix in what lies outside."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _fail(path, error):
    raise ValueError(
        checks.message("Every image must be readable.", f"{path} ({error})", "Mend or remove the file.")
    ) from error


def _check_sizes(paths, sizes, values_per_pixel):
    for path, size in zip(paths, sizes):
        if size != sizes[0]:
            checks.fail(
                "Images of a folder must have one size.",
                f"{paths[0]} of {sizes[0]} and {path} of {size} pixels",
                "Give `image_size` to crop and resize them, on the command line --set image_size=32.",
            )
    total = sizes[0][0] * sizes[0][1] * values_per_pixel
    if total > MAX_BYTES:
        checks.fail(
            f"A folder of images must fit into {MAX_BYTES / 2**30:g} GB of memory.",
            f"{total / 2**30:.1f} GB of pixels",
            "Give a smaller `image_size` (--set image_size=32), a slice, or build a TFDS set.",
        )
