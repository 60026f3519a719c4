"""Several measures of one set of samples at a time, by name."""

import dataclasses
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from tfmmd import checks
from tfmmd.metrics.feature_cache import cached_features
from tfmmd.metrics.fid import frechet_inception_distance
from tfmmd.metrics.inception_score import inception_score
from tfmmd.metrics.kid import kernel_inception_distance
from tfmmd.metrics.parzen import parzen_log_likelihood
from tfmmd.metrics.precision_recall import precision_recall
from tfmmd.metrics.sharpness import sharpness


@dataclasses.dataclass
class HeldOut:
    """Held-out data and extractors: what measures compare samples with.

    Features of the test data are computed once; with `cache_dir` once for all runs.

    Args:
        test: Test data `[m, ...]`; images in [0, 1].
        validation: Validation data `[v, ...]`, which picks the bandwidth of the kernel density score.
        extractor: Function from images to features `[n, d]`, such as `metrics.features.lenet_features(path)`.
        classifier: Function from images to class probabilities `[n, c]`, for the inception score.
        cache_dir: Folder of the test data's features, see `metrics.feature_cache.cached_features`; the
            extractor needs a fingerprint then.
        data: Name of the data set, part of the cache's key.
    """

    test: Any
    validation: Any = None
    extractor: Callable | None = None
    classifier: Callable | None = None
    cache_dir: Any = None
    data: str = "data"

    @cached_property
    def test_features(self):
        """Features `[m, d]` of the test data."""
        if self.cache_dir is None or self.extractor is None:
            return self.features(self.test)
        return cached_features(self.extractor, self.test, self.cache_dir, data=self.data, split="test")

    def features(self, images):
        """Features `[n, d]` of images; rows of rank 2 are features already when there is no extractor."""
        if self.extractor is not None:
            return self.extractor(images)
        if np.ndim(images) == 2:
            return images
        return checks.fail("This measure needs features.", "extractor=None", "Hand an `extractor` over.")

    def probabilities(self, images):
        """Class probabilities `[n, c]` of images."""
        if self.classifier is None:
            checks.fail("The inception score needs classes.", "classifier=None", "Hand a `classifier` over.")
        return self.classifier(images)


def _parzen(samples, held_out):
    return parzen_log_likelihood(samples, held_out.test, held_out.validation)


def _of_features(measure):
    def of_samples(samples, held_out):
        record = measure(held_out.test_features, held_out.features(samples))
        return _named(record, held_out.extractor)

    return of_samples


def _inception_score(samples, held_out):
    return _named(inception_score(held_out.probabilities(samples)), held_out.classifier)


def _named(record, extractor):
    """The record with the name of the extractor that it depends on."""
    return dataclasses.replace(record, extractor=getattr(extractor, "name", ""))


MEASURES = {
    "parzen": _parzen,
    "kid": _of_features(kernel_inception_distance),
    "fid": _of_features(frechet_inception_distance),
    "precision_recall": _of_features(precision_recall),
    "inception_score": _inception_score,
    "sharpness": lambda samples, held_out: sharpness(samples),
}


def named_measures(names):
    """Dict of name to function of (samples, `HeldOut`), from names in `MEASURES` or from such a dict."""
    if isinstance(names, dict):
        return dict(names)
    if not isinstance(names, (str, list, tuple, set)):
        checks.fail("`metrics` must be names.", f"metrics={names!r}", f"Choose some of {sorted(MEASURES)}.")
    names = [names] if isinstance(names, str) else list(names)
    return {name: MEASURES[checks.one_of("metrics", name, MEASURES)] for name in names}


def measure_samples(samples, held_out, names=("parzen",), *, on_start=None):
    """Measures samples against held-out data.

    Args:
        samples: The model's samples `[n, ...]`.
        held_out: A `HeldOut`.
        names: Names in `MEASURES`, or a dict of name to a function of (samples, held_out) that returns a
            record with `to_dict()`.
        on_start: Called with each name before its measure, to show progress.

    Returns:
        Dict of name to record.
    """
    records = {}
    for name, measure in named_measures(names).items():
        if on_start is not None:
            on_start(name)
        records[name] = measure(samples, held_out)
    return records


def scalars(records):
    """The records' headline numbers: dict of name to float, a standard error beside each mean."""
    numbers = {}
    for name, record in records.items():
        for key, value in record.to_dict().items():
            if key == "mean":
                numbers[name] = (
                    math.nan if value is None else value
                )  # a record writes what is not finite as None
            elif key in ("standard_error", "precision", "recall") and value is not None:
                numbers[f"{name}_{key}"] = value
    return numbers
