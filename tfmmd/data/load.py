"""`load` and `arrays`: one door to every data set."""

import os
from functools import partial

import numpy as np
import tensorflow as tf

from tfmmd import checks
from tfmmd.data import embedded, folder, images, stream, synthetic, tables

EMBEDDED = ("digits", *synthetic.SETS)


def load(
    name,
    split="train",
    value_range=(0, 1),
    binarize=None,
    *,
    with_labels=False,
    image_size=None,
    seed=0,
    data_dir=None,
) -> tf.data.Dataset:
    """A data set, one example at a time in a fixed order.

    Args:
        name: "digits" (8x8, no download), "rings" or "gaussians" (points in the plane), any image set of
            TensorFlow Datasets by its name ("mnist", "celeb_a", "toronto_face_dataset/96x96"), a folder
            of PNG and JPEG images: a path, or "folder:" and a path; or a table of numbers: a path that ends in
            .csv, .tsv or .npy, or "table:" and a path.
        split: "train", "validation", "test", sums such as "train+validation", slices such as
            "train[:100]". A TFDS set without a validation split has 5000 rows (at most a tenth) of its
            training set held out by a fixed permutation; "train+validation" is all of it in TFDS's order.
            Slices of TFDS sets, and any other expression, go to TFDS as they are: "train[:100]" counts in
            the set's own training split.
        value_range: Two numbers that black and white become. Points keep their own coordinates, in about
            [-1.2, 1.2], under the default (0, 1); another range is filled by that square. Tables keep their
            units.
        binarize: None, "threshold" (x > 0.5) or "bernoulli": each pixel is on with probability x, drawn
            once for each image from (seed, split, row). `batches` can redraw for every step instead.
        with_labels: Whether to give (x, label) instead of x.
        image_size: Side of the result: a centre square is cut out and resized. None keeps the size;
            "celeb_a" is cut to its centre 140x140 and resized to 64 by default.
        seed: Seed of what is drawn: Bernoulli pixels and synthetic points.
        data_dir: Directory of TFDS; None takes `TFDS_DATA_DIR` or TFDS's default.

    Returns:
        tf.data.Dataset of known cardinality: x float32 `[h, w, c]` (points `[2]`, tables `[d]`), or
        (x, label int64 `[]`).

    Raises:
        ValueError: The name, split or range is unknown, the split is empty, or there are no labels.

    Example:
        >>> x = tfmmd.data.load("digits", "train", value_range=(-1, 1))
        >>> x.cardinality().numpy(), x.element_spec.shape
        (1297, TensorShape([8, 8, 1]))

    Reference: [li2015] for the MNIST split, [tolstikhin2018] for the crop of CelebA.
    """
    found, finished = _finished(name, split, value_range, binarize, with_labels, image_size, seed, data_dir)
    return finished.unbatch().apply(tf.data.experimental.assert_cardinality(found.rows))


def arrays(
    name,
    split="train",
    value_range=(0, 1),
    binarize=None,
    *,
    with_labels=False,
    image_size=None,
    seed=0,
    data_dir=None,
):
    """The whole of `load` with the same arguments as arrays in memory.

    Returns:
        float32 array `[n, h, w, c]` (points `[n, 2]`, tables `[n, d]`), or (x, labels int64 `[n]`) with
        `with_labels`.

    Example:
        >>> tfmmd.data.arrays("digits", "test").shape
        (300, 8, 8, 1)
    """
    found, finished = _finished(name, split, value_range, binarize, with_labels, image_size, seed, data_dir)
    whole = tf.nest.map_structure(
        lambda spec: np.empty((found.rows, *spec.shape[1:]), spec.dtype.as_numpy_dtype), finished.element_spec
    )
    start = 0
    for batch in finished.as_numpy_iterator():
        for all_rows, some in zip(tf.nest.flatten(whole), tf.nest.flatten(batch)):
            all_rows[start : start + len(some)] = some
        start += len(some)
    return whole


def kind(name):
    """What a data set's name stands for: "folder" of images, "table" of numbers, or its own "name"."""
    if tables.is_path(name):
        return "table"
    return "folder" if folder.is_path(name) or _is_bare_folder(name) else "name"


def find(name, split, *, image_size=None, seed=0, data_dir=None):
    """The `Source` of a named set's split."""
    if not isinstance(name, (str, os.PathLike)):
        checks.fail("`name` must be a string or a path.", f"name={name!r}", "Use a name such as 'digits'.")
    if tables.is_path(name):
        return tables.source(name, split)
    if folder.is_path(name) or _is_bare_folder(name):
        return folder.source(name, split, image_size)
    if name == "digits":
        return embedded.digits(split, image_size)
    if name in synthetic.SETS:
        return synthetic.points(name, split, checks.int64("seed", seed))
    from tfmmd.data import tfds_sets  # TFDS is imported when it is needed

    return tfds_sets.source(name, split, image_size, data_dir, EMBEDDED)


def _is_bare_folder(name):
    """Whether a name without any mark of a path is a folder here, and no data set."""
    if name in EMBEDDED or not os.path.isdir(name):
        return False
    from tfmmd.data import tfds_sets

    return not tfds_sets.known(name)


def _finished(name, split, value_range, binarize, with_labels, image_size, seed, data_dir):
    """The source and its batches, scaled and binarised: x `[b, ...]` or (x, labels `[b]`)."""
    value_range = images.check_range(value_range)
    checks.one_of("binarize", binarize, images.BINARIZE)
    if image_size is not None:
        checks.positive_int("image_size", image_size)
    found = find(name, split, image_size=image_size, seed=seed, data_dir=data_dir)
    _check_fits(found, name, binarize, with_labels, image_size)
    _check_units(name, value_range)
    first_rows = tf.data.Dataset.counter(0, found.batch_rows)

    def finish(first_row, batch):
        raw, labels = batch
        uniform = partial(images.fixed_uniform, first_row, raw, f"binarize {split} {seed}")
        x = _scaled(found, raw, value_range, binarize, uniform)
        return (x, labels) if with_labels else x

    batches = tf.data.Dataset.zip((first_rows, found.batches)).map(finish, tf.data.AUTOTUNE)
    return found, batches.prefetch(1).with_options(stream.untuned())


def _scaled(found, raw, value_range, binarize, uniform):
    """Raw rows `[b, ...]` -> float32 rows in the value range."""
    if found.white is None:
        return raw if value_range == images.UNIT else synthetic.scale(raw, value_range)
    unit = images.binarize(tf.cast(raw, tf.float32) / found.white, binarize, uniform)
    return images.scale(unit, value_range)


def _check_fits(found, name, binarize, with_labels, image_size):
    """Refuses options that mean nothing for this set."""
    if found.white is None and (binarize is not None or image_size is not None):
        checks.fail(
            "`binarize` and `image_size` need images.",
            f"name={name!r}, binarize={binarize!r}, image_size={image_size!r}",
            "Leave them out for points.",
        )
    if with_labels and not found.labelled:
        checks.fail(
            "`with_labels=True` needs a data set with labels.",
            f"name={name!r}, which has none",
            "Leave `with_labels` out.",
        )


def _check_units(name, value_range):
    if tables.is_path(name) and value_range != images.UNIT:
        checks.fail(
            "Tables keep their own units.",
            f"name={str(name)!r}, value_range={value_range}",
            "Leave `value_range` out.",
        )
