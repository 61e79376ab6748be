"""Plain decimals are read as `float` reads them, to the bit."""

import io

import numpy as np
import pytest

from wsed.formats import decimals
from wsed.formats.decimals import decimal_table

rng = np.random.default_rng(0)


@pytest.mark.parametrize("form", ["%.5f", "%.6g", "%.0f.", "%.1f", "%.14f", "%09.3f", "%.9g"])
def test_each_number_is_the_nearest_float(form: str) -> None:
    values = rng.random((500, 4)) * 10.0 ** rng.integers(-3, 1, (500, 4))
    values[:, 0] = np.arange(500) * 0.02
    written = io.StringIO()
    np.savetxt(written, values, form, ",")
    text = written.getvalue()
    expected = [[float(cell) for cell in line.split(",")] for line in text.split()]
    found = decimal_table(text, ",")
    assert found is not None
    assert found.tolist() == expected


def test_the_powers_of_ten_are_exact() -> None:
    assert [int(power) for power in decimals._POWERS] == [10**n for n in range(decimals.AFTER_POINT + 1)]


def test_lengths_around_the_limits() -> None:
    for before in range(1, 12):
        for after in range(18):
            digits = "".join(map(str, rng.integers(0, 10, before + after)))
            cells = [f"{digits[:before]}.{digits[before:]}", *["0.5"] * 9]
            found = decimal_table("\t".join(cells) + "\n", "\t")
            assert found is not None
            assert found.tolist() == [[float(cell) for cell in cells]]


@pytest.mark.parametrize(
    "odd", ["-0.5", "1e-05", "inf", "7", " 0.25 ", "+1.5", "1.5E3", "12345678901.5", "0.1234567890123456789", ".5"]
)
def test_other_numbers_are_left_to_float(odd: str) -> None:
    found = decimal_table("0.5\t0.25\t" * 4 + odd + "\n", "\t")
    assert found is not None
    assert found[0].tolist() == [0.5, 0.25] * 4 + [float(odd)]


@pytest.mark.parametrize(
    "text",
    [
        "0.5\t\n",
        "0.5\thigh\n",
        "0.5\t0.5.5\n",
        "0.5\t0.5\n\n0.5\t0.5\n",
        "0.5\t0.5\n0.5\n",
        "0.5\n0.5\t0.5\t0.5\n",
        '"0.5"\t0.5\n',
        "0.5\t٠.5\n",
        "1\t2\t3\n",
        "",
        "\n",
        "0.5\t0.5\n0.5\t0.5\t0.5\n0.5\n",
    ],
)
def test_other_tables_are_passed_over(text: str) -> None:
    assert decimal_table(text, "\t") is None
