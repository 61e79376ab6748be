"""The length of an MP3, from the number of its frames. Most files do not declare it, and libsndfile guesses it.

libsndfile trusts a Xing (or Info) header, which many encoders write as the first frame. If a file has no such header,
or one with a wrong count, it is read with a correct header in front.
"""

import io
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wsed.errors import WsedError

_MPEG1, _LAYER3 = 3, 1
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Sample rates, Hz, by the version in a frame's header: MPEG 1, 2 and 2.5."""

_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_KBITS = {
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): tuple(range(32, 449, 32)),
    (False, 1): _LOW,
    (False, 2): _LOW,
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
}
"""Bit rates, kbit/s, by whether the version is MPEG 1 and the layer in a frame's header (1: III, 2: II, 3: I)."""

_JUNK = 4096
"""Bytes between frames that a sound file may hold, or 1 % of its size if that is more."""


@dataclass(frozen=True)
class Frames:
    """The frames of an MPEG audio file.

    Attributes:
        count: number of complete frames with sound.
        samples: samples per channel in a frame.
        declared: number of frames that the Xing header declares; None without such a header.
        prefix: a first frame with a Xing header that declares `count`; empty for layers I and II, which have none.
        begin: offset in the file of the frames that follow the prefix.
        junk: bytes between the frames that belong to no frame.
    """

    count: int
    samples: int
    declared: int | None
    prefix: bytes
    begin: int
    junk: int

    @property
    def is_declared(self) -> bool:
        """Whether the file declares its true length."""
        return self.declared == self.count

    @property
    def missing(self) -> int:
        """Number of declared frames that are missing; encoders differ by one frame in their count."""
        return 0 if self.declared is None or self.declared <= self.count + 1 else self.declared - self.count


def frames(path: str | Path, anywhere: bool = False) -> Frames | None:
    """Count the frames of an MPEG audio file; None if the file, after its tags, does not begin with a frame.

    With `anywhere`, other bytes may precede the first frame. If a Xing header declares the true number of bytes, its
    count of frames is used, since reading the whole file would take longer.

    Raises:
        WsedError: too much of the file belongs to no frame of the same kind as the first one.
    """
    state = os.stat(path)  # noqa: PTH116
    counted = _frames(str(path), state.st_size, state.st_mtime_ns, anywhere)
    if counted is not None and counted.junk > max(_JUNK, state.st_size // 100):
        raise WsedError(
            f"{path} is damaged, or MP3 files of different kinds are joined in it: {counted.junk} bytes are not "
            "frames like the first one; download it again, or convert it again"
        )
    return counted


def opened(path: str | Path, counted: Frames) -> io.BufferedReader:
    """The file with a Xing header that declares its true length."""
    return io.BufferedReader(_Prefixed(path, counted.prefix, counted.begin))


@lru_cache(maxsize=65536)
def _frames(path: str, size: int, _: int, anywhere: bool) -> Frames | None:
    if size < 4:
        return None
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:  # noqa: PTH123
        first = _skip_tags(data, 0)
        while data[first : first + 1] == b"\0":  # padding after a tag
            first += 1
        lengths = _kind(data, first)
        while anywhere and not lengths and (first := data.find(b"\xff", first + 1)) >= 0:
            lengths = _kind(data, first)
        if not lengths:
            return None
        length = lengths[_key(data, first)]
        place = _place(data, first, length)
        begin = first if place is None else first + length
        declared = _number(data, place) if place else None
        if declared is not None and place and _has_all(data, first, place):
            count, junk = declared, 0
        else:
            count, junk = _walk(data, begin, lengths)
        prefix = _patched(data, first, begin, place, count) if place else _head(data, first, count, lengths)
        return Frames(count, _samples(data[first + 1]), declared, prefix, begin, junk)


def _key(data: mmap.mmap, at: int) -> int:
    return data[at + 1] << 8 | data[at + 2]


def _samples(second: int) -> int:
    """Samples per channel in a frame, by the second byte of its header."""
    layer, full = second >> 1 & 3, second >> 3 & 3 == _MPEG1
    return 384 if layer == 3 else 1152 if layer == 2 or full else 576


def _lengths(second: int, third: int) -> dict[int, int]:
    """Size of a frame in bytes, by the second and third byte of its header, for one version, layer and sample rate."""
    version, layer, rate = second >> 3 & 3, second >> 1 & 3, third >> 2 & 3
    lengths: dict[int, int] = {}
    if version == 1 or layer == 0 or rate == 3:
        return lengths
    hertz, slot = _RATES[version][rate], 4 if layer == 3 else 1
    per_slot = 12 if layer == 3 else _samples(second) // 8
    for index, kbits in enumerate(_KBITS[version == _MPEG1, layer], start=1):
        for padding in (0, 1):
            length = (per_slot * kbits * 1000 // hertz + padding) * slot
            for free in (0, 1):  # the bits for the checksum and for private use
                for private in (0, 1):
                    key = (second & 0xFE | free) << 8 | index << 4 | rate << 2 | padding << 1 | private
                    lengths[key] = length
    return lengths


def _skip_tags(data: mmap.mmap, at: int) -> int:
    """The offset after the ID3v2 tags at an offset."""
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    return at


def _kind(data: mmap.mmap, at: int) -> dict[int, int]:
    """`_lengths` of the frame at an offset, if it is the last one or a frame of the same kind follows; else empty."""
    if at + 4 > len(data) or data[at] != 0xFF:
        return {}
    lengths = _lengths(data[at + 1], data[at + 2])
    length = lengths.get(_key(data, at), 0)
    return lengths if length and (at + length == len(data) or _valid(data, at + length, lengths)) else {}


def _valid(data: mmap.mmap, at: int, lengths: Mapping[int, int]) -> bool:
    return at + 4 <= len(data) and data[at] == 0xFF and _key(data, at) in lengths


def _walk(data: mmap.mmap, at: int, lengths: Mapping[int, int]) -> tuple[int, int]:
    """Number of complete frames from an offset on, and of bytes between them that belong to no frame and no tag."""
    count = junk = 0
    end = len(data)
    while at + 4 <= end:
        if data[at] == 0xFF and (length := lengths.get(data[at + 1] << 8 | data[at + 2])):
            if at + length > end:
                break
            count += 1
            at += length
            continue
        after = _skip_tags(data, at)
        if after == at and (data[at : at + 3] == b"TAG" or data[at : at + 8] == b"APETAGEX"):
            after = at + (
                128 if data[at : at + 3] == b"TAG" else 32 + int.from_bytes(data[at + 12 : at + 16], "little")
            )
        if after == at:
            after = _next(data, at + 1, lengths)
            junk += after - at
        at = after
    return count, junk


def _next(data: mmap.mmap, at: int, lengths: Mapping[int, int]) -> int:
    """The offset of the next frame or tag; the end of the file if there is none."""
    while 0 <= (at := data.find(b"\xff", at)) <= len(data) - 4:
        if _valid(data, at, lengths):
            after = at + lengths[_key(data, at)]
            if (
                after >= len(data)
                or _valid(data, after, lengths)
                or data[after : after + 3] in (b"TAG", b"ID3", b"APE")
            ):
                return at
        at += 1
    return len(data)


def _side(second: int, fourth: int) -> int:
    """Size of header and side information of a layer III frame, by the second and fourth byte of its header."""
    mono, full = fourth >> 6 == 3, second >> 3 & 3 == _MPEG1
    return 4 + ((17 if mono else 32) if full else (9 if mono else 17))


def _place(data: mmap.mmap, first: int, length: int) -> int | None:
    """The offset of the frame count in the first frame.

    0 if the first frame is a header without a count; None if it is a frame with sound.
    """
    if data[first + 1] >> 1 & 3 != _LAYER3:
        return None
    tag = first + _side(data[first + 1], data[first + 3])
    if data[tag : tag + 4] in (b"Xing", b"Info") and first + length >= tag + 16:
        return tag + 8 if data[tag + 7] & 1 else 0
    return 0 if data[first + 36 : first + 40] == b"VBRI" else None


def _number(data: mmap.mmap, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "big")


def _has_all(data: mmap.mmap, first: int, place: int) -> bool:
    """Whether the file ends, or its tags begin, at the size that the header declares."""
    if not data[place - 1] & 2:
        return False
    end = first + _number(data, place + 4)
    return end == len(data) or data[end : end + 3] == b"TAG" or data[end : end + 8] == b"APETAGEX"


def _head(data: mmap.mmap, first: int, count: int, lengths: Mapping[int, int]) -> bytes:
    """A new frame with a Xing header, of the same kind as the first frame; empty for layers I and II."""
    if data[first + 1] >> 1 & 3 != _LAYER3:
        return b""
    second, third = data[first + 1] | 1, data[first + 2] & 0x0C
    tag = _side(second, data[first + 3])
    index = next(i for i in range(1, 15) if lengths[second << 8 | i << 4 | third] >= tag + 12)
    frame = bytearray(lengths[second << 8 | index << 4 | third])
    frame[:4] = 0xFF, second, index << 4 | third, data[first + 3]
    frame[tag : tag + 12] = b"Xing\0\0\0\1" + count.to_bytes(4, "big")
    return bytes(frame)


def _patched(data: mmap.mmap, first: int, begin: int, place: int, count: int) -> bytes:
    """The header of the file with a corrected count of frames and bytes."""
    frame, at = bytearray(data[first:begin]), place - first
    frame[at : at + 4] = count.to_bytes(4, "big")
    if frame[at - 1] & 2:
        frame[at + 4 : at + 8] = (len(data) - first).to_bytes(4, "big")
    return bytes(frame)


class _Prefixed(io.RawIOBase):
    """The bytes of a file from an offset on, after a prefix."""

    def __init__(self, path: str | Path, prefix: bytes, begin: int) -> None:
        super().__init__()
        self._file = Path(path).open("rb")  # noqa: SIM115 - closed with this
        self._prefix, self._begin, self._at = prefix, begin, 0
        self._size = len(prefix) + max(0, self._file.seek(0, os.SEEK_END) - begin)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        if self._at < len(self._prefix):
            part = self._prefix[self._at : self._at + len(buffer)]
        else:
            self._file.seek(self._begin + self._at - len(self._prefix))
            part = self._file.read(len(buffer))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()
