"""The Toronto Face Dataset (TFD) as a TFDS builder; its file is not public and is put in place by hand."""

import numpy as np
import tensorflow_datasets as tfds
from scipy import io

from tfmmd import checks
from tfmmd.data import splits

NUM_FOLDS = 5
SIZES = (48, 96)
CODES = {"train": 1, "validation": 2, "test": 3}  # entries of `folds`; 0 is an unlabelled image
LAYOUT = (
    "The file must be a .mat of version 5 to 7 that holds `images` [n, s, s], `folds` [n, 5], `labs_ex` and "
    "`labs_id` [n]."
)
WHOLE_FILE = "Take the TFD_ranzato file of the authors, and copy it again if it is one."
EXPRESSIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
ALIASES = {
    "train": "unlabeled",
    "validation": "fold0_held_out",
    "test": "fold0_test",
    "train+validation": "unlabeled+fold0_held_out",
}


class TorontoFaceDataset(tfds.core.GeneratorBasedBuilder):
    """112 234 aligned grey faces, 48x48 or 96x96, some 4000 of them with an expression and an identity.

    Splits, k from 0 to 4: "fold{k}_train", "fold{k}_validation", "fold{k}_test" are the labelled images of
    the set's own folds; "fold{k}_held_out" is as many unlabelled images as the fold has validation images,
    for choosing a bandwidth on images that nothing else uses; "unlabeled" is all other unlabelled images.
    `tfmmd.data.load` reads "train" as "unlabeled", "validation" and "test" as those of fold 0.

    Reference: [susskind2010]; [li2015] for the held-out images.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Ask the authors of the data for TFD_ranzato_48x48.mat or TFD_ranzato_96x96.mat "
        "(arrays `images`, `folds`, `labs_ex`, `labs_id`) and put it into the manual directory"
    )
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=f"{size}x{size}", description=f"Images of {size}x{size} pixels.")
        for size in SIZES
    ]

    def _info(self):
        side = int(self.builder_config.name.split("x")[0])
        label = tfds.features.Scalar(np.int64)
        return self.dataset_info_from_configs(
            description=self.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(side, side, 1)),
                    "expression": label,  # index into EXPRESSIONS, -1 where unknown
                    "identity": label,
                }
            ),
            supervised_keys=("image", "expression"),
            homepage="http://aclab.ca/users/josh/TFD.html",
        )

    def _split_generators(self, dl_manager):
        path = dl_manager.manual_dir / f"TFD_ranzato_{self.builder_config.name}.mat"
        if not path.exists():
            checks.fail(
                "The Toronto faces must be put in place by hand.",
                f"no file {path}",
                self.MANUAL_DOWNLOAD_INSTRUCTIONS,
            )
        table = read_table(path, self.info.features["image"].shape[0])
        return {name: self._generate_examples(table, rows) for name, rows in rows_of_splits(table).items()}

    def _generate_examples(self, table, rows):
        for row in rows:
            yield (
                int(row),
                {
                    "image": table["images"][row][:, :, None],
                    "expression": table["expression"][row],
                    "identity": table["identity"][row],
                },
            )


def read_table(path, side):
    """The arrays of a .mat file of images with `side` pixels: what its splits are made of.

    Returns:
        Dict of images uint8 `[n, s, s]`, folds `[n, 5]`, expression and identity `[n]`, int64.

    Raises:
        ValueError: For a file that cannot be read, of another layout, or with rows missing in a split.
    """
    raw = _load(path)
    _check_layout(path, raw, side)
    expression = _whole(path, "labs_ex", raw["labs_ex"], np.int64).ravel()
    table = {
        "images": _pixels(path, raw["images"]),
        "folds": _whole(path, "folds", raw["folds"], np.int64),
        "expression": np.where(expression > 0, expression - 1, -1),
        "identity": _whole(path, "labs_id", raw["labs_id"], np.int64).ravel(),
    }
    _check_splits(path, table["folds"])
    return table


def _load(path):
    """The variables of a .mat file."""
    try:
        return io.loadmat(str(path))
    except NotImplementedError as error:  # HDF5
        mend = "Save it in MATLAB with `save(..., '-v7')`."
        raise ValueError(checks.message(LAYOUT, f"{path}, a file of version 7.3", mend)) from error
    except Exception as error:  # SciPy has many ways to refuse
        received = f"{path}, which cannot be read ({str(error).strip(' .') or type(error).__name__})"
        raise ValueError(checks.message(LAYOUT, received, WHOLE_FILE)) from error


def _check_layout(path, raw, side):
    """Refuses arrays that are missing or of other shapes, with the shapes that there are."""
    shapes = {name: np.shape(value) for name, value in raw.items() if not name.startswith("__")}
    rows = (shapes.get("images") or (0,))[0]
    labels = ((rows,), (rows, 1), (1, rows))
    if not (
        shapes.get("images") == (rows, side, side)
        and shapes.get("folds") == (rows, NUM_FOLDS)
        and shapes.get("labs_ex") in labels
        and shapes.get("labs_id") in labels
    ):
        checks.fail(
            LAYOUT, f"{path} with {shapes}, where s is {side}", "Take the file of that size as it is."
        )


def _pixels(path, values):
    """Images as uint8; a fraction of white, from 0 to 1, is no number of grey levels."""
    pixels = _whole(path, "images", values, np.uint8, ", from 0 to 255")
    if pixels.max(initial=0) <= 1:
        checks.fail(
            "`images` must hold grey levels from 0 to 255.",
            f"{path} with none above {pixels.max(initial=0)}",
            "Multiply images from 0 to 1 by 255 and round them.",
        )
    return pixels


def _whole(path, name, values, dtype, where=""):
    """An array as whole numbers of a dtype that holds all of its values, which may be stored as doubles."""
    if values.dtype.kind in "uifb":
        with np.errstate(invalid="ignore"):  # NaN and inf become numbers that differ from them
            whole = values.astype(dtype)
        wrong = whole != values
        if not wrong.any():
            return whole
        received = f"{path} with {values.dtype} {values[wrong][0].item()} among them"
    else:
        received = f"{path} with entries of dtype {values.dtype}"
    return checks.fail(
        f"`{name}` must be whole numbers{where}.",
        received,
        "Take the file as it is, or scale and round them.",
    )


def _check_splits(path, folds):
    """Refuses folds that leave a split without rows."""
    empty = [name for name, rows in rows_of_splits({"folds": folds}).items() if not len(rows)]
    if empty:
        checks.fail(
            f"`folds` must give every split rows, by the codes {CODES} and 0 for an unlabelled image.",
            f"{path} with no rows for {', '.join(empty)}",
            WHOLE_FILE,
        )


def rows_of_splits(table):
    """Rows of every split, a dict from its name to an int array."""
    folds = table["folds"]
    found = {
        f"fold{k}_{part}": np.flatnonzero(folds[:, k] == code)
        for k in range(NUM_FOLDS)
        for part, code in CODES.items()
    }
    unlabelled = np.flatnonzero((folds == 0).all(axis=1))
    order, start = unlabelled[splits.permutation(len(unlabelled), seed=1)], 0
    for k in range(NUM_FOLDS):
        size = len(found[f"fold{k}_validation"])
        found[f"fold{k}_held_out"] = order[start : start + size]
        start += size
    found["unlabeled"] = np.sort(order[start:])
    return found
