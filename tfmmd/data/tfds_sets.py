"""Image sets of TensorFlow Datasets, by name."""

import math
import os
import re

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfmmd import checks
from tfmmd.data import images, splits, toronto_faces
from tfmmd.data import source as sources

IN_MEMORY = 2**28  # bytes of pixels up to which a set is decoded at once
CROPS = {"celeb_a": (140, 64)}  # side of the centre cut out, side after resizing [tolstikhin2018]
ALIASES = {"toronto_face_dataset": toronto_faces.ALIASES}
WHOLE = "train+validation"
NO_FOLDER = "If it is a folder of images, give the path to it: there is none of this name here."


def names():
    """Names of all TFDS builders, those of this package among them."""
    return tfds.list_builders(with_community_datasets=False)


def known(name):
    """Whether TFDS has a set of this name (a config or version may follow it)."""
    return _base(name) in names()


def source(name, split, image_size, data_dir, other_names=()):
    """A split of the TFDS set `name`.

    Sets of up to 256 MB are decoded at once; larger ones are decoded as they are read.
    """
    base = _base(name)
    checks.one_of("name", base, [*other_names, *names()], more=NO_FOLDER)
    builder = _prepared(name, data_dir)
    crop_size, default_size = CROPS.get(base, (None, None))
    size = image_size or default_size
    keys = _keys(name, builder.info)
    shape = _check_shape(name, builder.info.features[keys[0]].shape, size)
    examples, order = _examples(builder, ALIASES.get(base, {}).get(split, split), keys, shape)
    white = int(np.iinfo(builder.info.features[keys[0]].np_dtype).max)
    labelled = keys[1] is not None
    if order is None:
        return _streamed(examples, shape, white, labelled, size, crop_size)
    values, labels = (x.numpy()[order] for x in examples.batch(len(examples)).get_single_element())
    return sources.from_arrays(values, labels if labelled else None, white, size, crop_size)


def _base(name):
    return re.split("[/:]", str(name))[0]


def _prepared(name, data_dir):
    """The builder, its data downloaded and prepared if they are not yet there."""
    builder = tfds.builder(name, data_dir=data_dir or os.environ.get("TFDS_DATA_DIR"))
    try:
        builder.download_and_prepare()
    except (OSError, AssertionError) as error:  # no network, no manual download
        raise ValueError(
            checks.message(
                f"The data set {name!r} must be prepared on this machine or within reach for download.",
                f"data_dir={builder.data_path}: {str(error).strip(' .')}",
                "Point TFDS_DATA_DIR or `data_dir` to prepared data, or connect to the network.",
            )
        ) from error
    return builder


def _keys(name, info):
    """Names of the image feature and of the label feature; the latter may be None."""
    found = [key for key, feature in info.features.items() if isinstance(feature, tfds.features.Image)]
    if not found:
        checks.fail(
            "`name` must be an image set.", f"name={name!r} with {list(info.features)}", "Use another set."
        )
    image_key, label_key = (tuple(info.supervised_keys or ()) + (None, None))[:2]
    if image_key not in found:
        return found[0], None
    label = info.features[label_key] if isinstance(label_key, str) else None
    return image_key, label_key if getattr(
        label, "shape", None
    ) == () and label.np_dtype == np.int64 else None


def _check_shape(name, shape, size):
    if shape[2] is None or (size is None and None in shape):
        checks.fail(
            "The images of a set must have one size.",
            f"name={name!r} with images of shape {tuple(shape)}",
            "Give `image_size` to crop and resize them.",
        )
    return shape


def _examples(builder, split, keys, shape):
    """Examples of a split and the order of its rows, which is None if they are too large for memory."""
    carved = split in ("train", "validation", WHOLE) and "validation" not in builder.info.splits
    examples = _read(builder, "train" if carved else split, keys)
    rows = len(examples)
    small = None not in shape and rows * math.prod(shape) <= IN_MEMORY
    if not carved or split == WHOLE:
        return examples, np.arange(rows) if small else None
    if small:
        return examples, splits.not_empty(split, splits.held_out(rows)[split])
    size = splits.num_held_out(rows)  # TFDS shuffles when it prepares a set: a slice is a random part
    return _read(builder, f"train[:{size}]" if split == "validation" else f"train[{size}:]", keys), None


def _read(builder, split, keys):
    """Examples (image, label int64) of a TFDS split expression in the order of its files."""
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    try:
        examples = builder.as_dataset(split=split, shuffle_files=False, read_config=in_order)
    except (ValueError, AssertionError) as error:
        known_splits = f"`split` must be made of {sorted(builder.info.splits)} or 'validation'."
        mend = "Write a slice as name[start:stop]."
        raise ValueError(checks.message(known_splits, f"split={split!r} ({error})", mend)) from error
    splits.not_empty(split, examples)
    image_key, label_key = keys
    none = tf.zeros([], tf.int64)
    return examples.map(lambda row: (row[image_key], none if label_key is None else row[label_key]))


def _streamed(examples, shape, white, labelled, size, crop_size):
    """A source that decodes as it is read."""
    if size is not None:
        shape = (size, size, shape[2])
        examples = examples.map(lambda x, y: (images.fit(x, size, white, crop_size), y), tf.data.AUTOTUNE)
    batch_rows = sources.rows_per_batch(shape)
    return sources.Source(examples.batch(batch_rows), len(examples), shape, white, labelled, batch_rows)
