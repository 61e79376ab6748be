"""Counts of hits, references and system outputs per class, from which F1 and error rates follow."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

FloatPerLabel = Float[np.ndarray, " label"]
IntPerLabel = Int[np.ndarray, " label"]


@dataclass(frozen=True)
class Counts:
    """Hits and totals per class; counts of several batches or ranks add up with `+`.

    The same conventions hold for counts of events, segments and tags:

    * A class without reference has no scores (NaN) and is left out of macro means, even if the system reported it.
      Micro means count its false alarms.
    * A class with reference but without system output has precision 0, recall 0 and F1 0.
    * A mean over no classes is NaN.

    F1, precision and recall equal those of `sed_eval` 0.2.1 with `empty_system_output_handling="zero_score"`, the
    setting of the DCASE baselines. With its default, `sed_eval` leaves a class that the system never reports out of
    the macro mean, which rewards systems that report nothing. Two conventions of `sed_eval` for classes without
    reference are not copied: their precision of 0 enters the macro precision, and their error rate is divided by
    2.2e-16. Segment-based metrics of `sed_eval` do not take that setting: they always leave a class that the system
    never reports out of the macro mean; here it has F1 0.

    Attributes:
        tp: hits (true positives).
        n_ref: reference items; `n_ref - tp` are misses.
        n_sys: system outputs; `n_sys - tp` are false alarms.
        n_sub: substitutions over all classes: pairs of a miss and a false alarm at the same place with different
            labels. `micro_error_rate` counts each pair as one error.

    >>> counts = Counts(tp=np.array([1, 0]), n_ref=np.array([2, 1]), n_sys=np.array([2, 0]))
    >>> counts.f1.tolist(), counts.macro_f1
    ([0.5, 0.0], 0.25)
    >>> counts.summary()["micro_f1"]
    0.4
    """

    tp: IntPerLabel
    n_ref: IntPerLabel
    n_sys: IntPerLabel
    n_sub: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.n_ref + other.n_ref, self.n_sys + other.n_sys, self.n_sub + other.n_sub)

    @property
    def precision(self) -> FloatPerLabel:
        """Hits per system output."""
        return self._known(self.tp / np.maximum(self.n_sys, 1))

    @property
    def recall(self) -> FloatPerLabel:
        """Hits per reference."""
        return self._known(self.tp / np.maximum(self.n_ref, 1))

    @property
    def f1(self) -> FloatPerLabel:
        """Harmonic mean of precision and recall, `2 tp / (n_ref + n_sys)`."""
        return self._known(2 * self.tp / np.maximum(self.n_ref + self.n_sys, 1))

    @property
    def deletion_rate(self) -> FloatPerLabel:
        """Misses per reference."""
        return self._known((self.n_ref - self.tp) / np.maximum(self.n_ref, 1))

    @property
    def insertion_rate(self) -> FloatPerLabel:
        """False alarms per reference."""
        return self._known((self.n_sys - self.tp) / np.maximum(self.n_ref, 1))

    @property
    def error_rate(self) -> FloatPerLabel:
        """Deletion rate plus insertion rate; a single class has no substitutions."""
        rate: FloatPerLabel = self.deletion_rate + self.insertion_rate
        return rate

    @property
    def macro_precision(self) -> float:
        """Mean over the classes with reference."""
        return _mean(self.precision)

    @property
    def macro_recall(self) -> float:
        """Mean over the classes with reference."""
        return _mean(self.recall)

    @property
    def macro_f1(self) -> float:
        """Mean over the classes with reference."""
        return _mean(self.f1)

    @property
    def macro_error_rate(self) -> float:
        """Mean over the classes with reference."""
        return _mean(self.error_rate)

    @property
    def micro_precision(self) -> float:
        """Precision of the counts summed over classes."""
        return float(self._pooled().precision[0])

    @property
    def micro_recall(self) -> float:
        """Recall of the counts summed over classes."""
        return float(self._pooled().recall[0])

    @property
    def micro_f1(self) -> float:
        """F1 of the counts summed over classes."""
        return float(self._pooled().f1[0])

    @property
    def micro_error_rate(self) -> float:
        """`(S + D + I) / n_ref` over all classes, where a substitution is one error instead of two."""
        return float(self._pooled().error_rate[0]) - self.substitution_rate

    @property
    def substitution_rate(self) -> float:
        """Substitutions per reference over all classes."""
        total = int(self.n_ref.sum())
        return self.n_sub / total if total else float("nan")

    def summary(self) -> dict[str, float]:
        """The averages by name, ready to log."""
        names = ("macro_f1", "macro_precision", "macro_recall", "macro_error_rate")
        return {name: getattr(self, name) for name in (*names, *(n.replace("macro", "micro") for n in names))}

    def _known(self, score: FloatPerLabel) -> FloatPerLabel:
        return np.where(self.n_ref > 0, score, np.nan)

    def _pooled(self) -> "Counts":
        tp, n_ref, n_sys = (np.array([count.sum()]) for count in (self.tp, self.n_ref, self.n_sys))
        return Counts(tp, n_ref, n_sys, self.n_sub)


def _mean(values: FloatPerLabel) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
