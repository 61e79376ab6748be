"""The convention for classes without reference or system output, and the averages."""

import numpy as np
import pytest

from wsed.metrics import Counts

# classes: ordinary, never reported, reported but not in the reference, in neither, perfect
COUNTS = Counts(tp=np.array([2, 0, 0, 0, 3]), n_ref=np.array([4, 5, 0, 0, 3]), n_sys=np.array([3, 0, 2, 0, 3]), n_sub=1)


def test_class_scores():
    nan = np.nan
    assert COUNTS.precision == pytest.approx(np.array([2 / 3, 0, nan, nan, 1]), nan_ok=True)
    assert COUNTS.recall == pytest.approx(np.array([0.5, 0, nan, nan, 1]), nan_ok=True)
    assert COUNTS.f1 == pytest.approx(np.array([4 / 7, 0, nan, nan, 1]), nan_ok=True)
    assert COUNTS.error_rate == pytest.approx(np.array([0.75, 1, nan, nan, 0]), nan_ok=True)


def test_macro_means_leave_out_classes_without_reference():
    assert COUNTS.macro_f1 == pytest.approx((4 / 7 + 0 + 1) / 3)
    assert COUNTS.macro_precision == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert COUNTS.macro_recall == pytest.approx(0.5)
    assert COUNTS.macro_error_rate == pytest.approx(1.75 / 3)


def test_micro_means_count_every_false_alarm():
    assert COUNTS.micro_precision == pytest.approx(5 / 8)
    assert COUNTS.micro_recall == pytest.approx(5 / 12)
    assert COUNTS.micro_f1 == pytest.approx(10 / 20)
    assert COUNTS.substitution_rate == pytest.approx(1 / 12)
    assert COUNTS.micro_error_rate == pytest.approx((7 + 3 - 1) / 12)


def test_no_reference_at_all_has_no_scores():
    nothing = Counts(*(np.zeros(2, dtype=np.int64) for _ in range(3)))
    assert all(np.isnan(value) for value in nothing.summary().values())
    assert len(nothing.summary()) == 8


def test_silence_scores_zero():
    silent = Counts(np.zeros(2, dtype=np.int64), np.array([1, 2]), np.zeros(2, dtype=np.int64))
    assert (silent.macro_f1, silent.micro_f1, silent.micro_precision, silent.micro_error_rate) == (0, 0, 0, 1)


def test_addition():
    twice = COUNTS + COUNTS
    assert twice.tp.tolist() == [4, 0, 0, 0, 6]
    assert twice.n_sub == 2
    assert twice.macro_f1 == pytest.approx(COUNTS.macro_f1)
