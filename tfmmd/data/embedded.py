"""The data set that needs no download: scikit-learn's 8x8 digits."""

from sklearn import datasets

from tfmmd.data import source, splits

NUM_VALIDATION, NUM_TEST = 200, 300
WHITE = 16  # the raw pixels are counts from 0 to 16


def digits(split, image_size=None):
    """Handwritten digits `[8, 8, 1]`: 1297 "train", 200 "validation", 300 "test", by a fixed permutation."""
    bunch = datasets.load_digits()
    rows = splits.select(split, splits.thirds(len(bunch.images), NUM_VALIDATION, NUM_TEST))
    pixels = bunch.images[rows, :, :, None].astype("uint8")
    return source.from_arrays(pixels, bunch.target[rows], WHITE, image_size)
