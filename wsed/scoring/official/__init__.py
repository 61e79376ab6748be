"""The same metrics by the packages of the field, `sed_scores_eval` and `psds_eval`, to check the native ones.

Both packages come with the extra `eval` and are imported when they are used. They count and average. This package
converts detections for them, and applies three conventions of `Counts` instead of theirs:

* A class without reference has no score (NaN). It is not passed on, since `sed_scores_eval` refuses it and `psds_eval`
  reads uninitialised memory for it.
* A class with reference but without hits has an F1 of 0. `psds_eval` divides 0 by 0 and leaves it out of its mean.
* With a single class there are no cross triggers. For `sed_scores_eval`, whose PSDS would be NaN, their weight is set
  to 0. The PSDS of `psds_eval` is NaN for any weight, and is None here.

Other differences to `wsed.metrics` remain:

* Events: `sed_scores_eval` rounds to microseconds before it compares with the collars, so that a difference of exactly
  0.2 s is within them, as with `event_counts(collar_eps=5e-7)`. In `sed_eval` and `event_counts`, rounding errors
  decide.
* Segments: `sed_scores_eval` rounds the borders of detections, but not of reference events, to microseconds.
  `segment_counts` does not round.
* Micro F1: `sed_scores_eval` ignores false alarms of classes without reference; `Counts` includes them.
* `psds_eval` never rounds, regardless of `PSDSParameters.decimals`, and never counts detections outside their clip as
  false alarms; the native metrics do so only for a PSDS from operating points. Its weight of cross triggers is at
  most 1.
* `sed_scores_eval` does not get operating points outside their clip, which in the native PSDS can still hit an event
  there.
"""

import warnings
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Literal

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.metrics.psds import PSDSParameters
from wsed.metrics.system import TaggedClips, TimedClips
from wsed.scoring.official.inputs import Values
from wsed.scoring.official.with_psds_eval import by_psds_eval
from wsed.scoring.official.with_sed_scores_eval import by_sed_scores_eval
from wsed.types import Labels

Package = Literal["sed_scores_eval", "psds_eval"]


@checked
def official_metrics(
    backend: Package,
    detections: TimedClips,
    tags: TaggedClips | None,
    labels: Labels,
    scenarios: Mapping[str, PSDSParameters],
) -> Values:
    """The metrics that a package computes; see the module for differences to the native metrics.

    Args:
        backend: the package.
        detections: the clips with known events. Events of one class in one clip must not overlap, nor, for
            `sed_scores_eval`, touch (`TimedClips.joined` joins only overlapping events). `sed_scores_eval` needs events
            with a duration above 0 that start at 0 s or later; `psds_eval` ignores events of 0 s.
        tags: the clips with known tags; without them there is no tagging F1.
        labels: the classes.
        scenarios: parameters of each PSDS, by name.

    Returns:
        * `event_f1` (collars 0.2 s and 20 %), `segment_f1` (1 s, not cut at the end of the clip) and `tagging_f1`, by
          `sed_scores_eval` only;
        * `intersection_f1` (DTC and GTC 0.5), by `psds_eval` without micro average;
        * the PSDS of each scenario. `sed_scores_eval` computes it from frame scores, or from operating points that
          are nested: for each class, a point contains all events of the point before, and no events touch. `psds_eval`
          computes it from operating points only.

        An F1 has `macro`, `micro` and `f1` per class; a PSDS has one `value`. A metric is None if the package does not
        compute it, and NaN if it is not defined.

    Raises:
        WsedError: the package is unknown or not installed, or it does not take these events.
    """
    if len(labels) != detections.n_labels or (tags is not None and len(labels) != tags.true.shape[1]):
        raise WsedError(f"{len(labels)} class names do not fit the label axis of the detections or tags")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations of newer numpy and pandas, and 0 / 0
        package = _package(backend)
        if backend == "psds_eval":
            return by_psds_eval(package, detections, labels, scenarios)
        return by_sed_scores_eval(package, detections, tags, labels, scenarios)


def _package(name: Package) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise WsedError(f'{name} cannot be imported ({error}): pip install "wsed[eval]"') from error
