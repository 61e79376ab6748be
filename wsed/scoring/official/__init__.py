"""The same metrics by the field's own packages, as a second opinion: `sed_scores_eval` and `psds_eval`.

Both come with the extra `eval` and are imported when they are asked. The packages do the counting and the averaging
here; what is ours is how detections are handed over, and three conventions of `Counts` put in the place of theirs:

* A class without reference has no score (NaN). `sed_scores_eval` refuses such a class, and `psds_eval` reads memory
  that nothing was written to; neither is told of it.
* A class with reference and no hit has an F1 of 0. `psds_eval` divides 0 by 0 and leaves the class out of its mean.
* With a single class there are no cross triggers: their mean over no other class makes the PSDS of `sed_scores_eval`
  NaN, so it is asked without. That of `psds_eval` is NaN whatever their weight: it is not given (None).

Where the packages still differ from the rest of `wsed.metrics`:

* Events: `sed_scores_eval` rounds to microseconds before it compares with the collars, so that a difference of exactly
  0.2 s is in (`event_counts(collar_eps=5e-7)`); `sed_eval`, and we, leave that to floating-point noise.
* Segments: `sed_scores_eval` rounds the borders of detections to microseconds; those of reference events, and all of
  ours, are taken as they are.
* Micro F1: that of `sed_scores_eval` leaves out false alarms of classes without reference; ours counts them.
* `psds_eval` never rounds, whatever `PSDSParameters.decimals` says, and takes no detection outside its clip for a false
  alarm; ours does the latter for the PSDS of operating points only. Its weight of cross triggers is 1 at most.
* `sed_scores_eval` is not given operating points outside their clip, which in ours may still find an event there.
"""

import warnings
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from wsed.errors import WsedError
from wsed.metrics.psds import PSDSParameters
from wsed.metrics.system import TaggedClips, TimedClips
from wsed.scoring.official.given import Values
from wsed.scoring.official.with_psds_eval import by_psds_eval
from wsed.scoring.official.with_sed_scores_eval import by_sed_scores_eval
from wsed.types import Labels

BACKENDS = ("sed_scores_eval", "psds_eval")
"""The packages, as `official_metrics` names them."""


def official_metrics(
    backend: str,
    detections: TimedClips,
    tags: TaggedClips | None,
    labels: Labels,
    scenarios: Mapping[str, PSDSParameters],
) -> Values:
    """The metrics that a package computes; the module says where they differ from ours.

    Args:
        backend: one of `BACKENDS`.
        detections: what was detected. Events of one class in one clip may not overlap, nor, for `sed_scores_eval`,
            touch (`TimedClips.joined` mends overlaps only). `sed_scores_eval` needs events that last and start at 0 s
            or later; `psds_eval` leaves those of 0 s out, as do intersections and PSDS everywhere.
        tags: the classes said of clips; None: no tagging F1.
        labels: the classes.
        scenarios: PSDS by name.

    Returns:
        * `event_f1` (collars 0.2 s and 20 %), `segment_f1` (1 s, not cut at the clip's end), `tagging_f1`:
          `sed_scores_eval` only;
        * `intersection_f1` (0.5, 0.5), of which `psds_eval` has no micro average;
        * the name of each scenario: its PSDS. `sed_scores_eval` takes it from the frame scores, or from operating
          points if some scores have exactly these as their events at falling thresholds (each point holds all events
          of the one before, class by class, and none that touch). `psds_eval` takes it from operating points only.

        An F1 has `macro` and `micro`, and `f1` per class; a PSDS one `value`. None is a metric that the package does
        not compute from this; NaN one that is not defined.

    Raises:
        WsedError: the package is not installed or is none of `BACKENDS`, or it does not take these events.
    """
    if backend not in BACKENDS:
        raise WsedError(f"unknown backend {backend!r}; known backends: {', '.join(BACKENDS)}")
    if len(labels) != detections.n_labels or (tags is not None and len(labels) != tags.true.shape[1]):
        raise WsedError(f"{len(labels)} class names do not fit the label axis of the detections or tags")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what newer versions of numpy and pandas deprecate, and 0 / 0
        package = _package(backend)
        if backend == "psds_eval":
            return by_psds_eval(package, detections, labels, scenarios)
        return by_sed_scores_eval(package, detections, tags, labels, scenarios)


def _package(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise WsedError(f'{name} cannot be imported ({error}): pip install "wsed[eval]"') from error
