"""From trained networks to events in recordings of any length: files, folders and streams."""

from typing import TYPE_CHECKING

from wsed.lazy import lazy

if TYPE_CHECKING:
    from wsed.inference.detector import Detector
    from wsed.inference.events import Detected, DetectedEvent
    from wsed.inference.loading import load
    from wsed.inference.streaming import Stream
    from wsed.inference.windows import Grid
else:
    __getattr__, __dir__ = lazy(__name__)

__all__ = ["Detected", "DetectedEvent", "Detector", "Grid", "Stream", "load"]
