"""The published predictions and judges that the metrics are held against."""

from tests.metrics.conftest import desed, judge  # noqa: F401
