"""The Toronto Face Dataset (TFD) as a TFDS builder; its file is not public and is put in place by hand."""

import numpy as np
import tensorflow_datasets as tfds
from scipy import io

from tfmmd import checks
from tfmmd.data import splits

NUM_FOLDS = 5
SIZES = (48, 96)
CODES = {"train": 1, "validation": 2, "test": 3}  # entries of `folds`; 0 is an unlabelled image
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
        table = read_table(path)
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


def read_table(path):
    """The arrays of a .mat file: images uint8 `[n, s, s]`, folds `[n, 5]`, expression and identity `[n]`."""
    raw = io.loadmat(str(path))
    missing = {"images", "folds", "labs_ex", "labs_id"} - set(raw)
    rows = len(raw.get("images", ()))
    if missing or raw["folds"].shape != (rows, NUM_FOLDS):
        shapes = {key: value.shape for key, value in raw.items() if hasattr(value, "shape")}
        checks.fail(
            "The file must hold `images` [n, s, s], `folds` [n, 5], `labs_ex` and `labs_id` [n].",
            f"{path} with {shapes}",
            "Take the TFD_ranzato file.",
        )
    expression = raw["labs_ex"].astype(np.int64).ravel()
    return {
        "images": raw["images"].astype(np.uint8),
        "folds": raw["folds"].astype(np.int64),
        "expression": np.where(expression > 0, expression - 1, -1),
        "identity": raw["labs_id"].astype(np.int64).ravel(),
    }


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
