"""Facts in the headers of sound files that libsndfile does not report: declared lengths, ends, foreign formats."""

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

UNKNOWN_SIZE = 0x7FFFF000
"""A WAV that was written to a pipe declares at least this size, because the true one was not known."""

FIXED_BLOCKS = (1, 3, 6, 7, 0xFFFE)
"""WAV formats (PCM, float, A-law, mu-law, extensible) whose blocks hold one sample of each channel."""

FOREIGN = (
    (4, b"ftyp", "M4A or MP4"),
    (0, b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "WMA"),
    (0, b"#!AMR", "AMR"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"MThd", "MIDI"),
    (8, b"AVI ", "AVI"),
)
"""Formats that libsndfile does not read: offset of their mark, the mark, the name."""

_HEADER = 1 << 20
"""Greatest size in bytes of a chunk before the sound that is read."""

_PAGE = 65307
"""Greatest size in bytes of a page of an Ogg file."""


class DataChunk(NamedTuple):
    """The part of a file that holds its sound.

    Attributes:
        declared: size in bytes that the header declares.
        present: bytes from its start to the end of the file.
        block: size of a block in bytes.
        fixed: whether a block holds one sample of each channel.
    """

    declared: int
    present: int
    block: int
    fixed: bool


def data_chunk(path: str | Path) -> DataChunk | None:
    """The data chunk of a WAV, W64, AIFF or AU; None for other files, and if its size is not known.

    libsndfile reports the samples that are present, not those that the header declares. So a download that broke off
    looks complete to it.
    """
    with Path(path).open("rb") as file:
        head = file.read(40)
        if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
            file.seek(12)
            return _wav(file, ">" if head[:4] == b"RIFX" else "<")
        if head[:4] == b"riff" and head[24:28] == b"wave":
            file.seek(40)
            return _w64(file)
        if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
            file.seek(12)
            return _aiff(file)
        if head[:4] in (b".snd", b"dns."):
            begin, size = struct.unpack_from(">II" if head[:4] == b".snd" else "<II", head, 4)
            file.seek(begin)
            return None if size >= UNKNOWN_SIZE else DataChunk(size, _left(file), 1, False)
    return None


def declared_samples(path: str | Path) -> int:
    """Number of samples that the header of a WAV file declares; 0 for other files and codecs, or if it is unknown."""
    data = data_chunk(path)
    return data.declared // data.block if data and data.fixed else 0


def _wav(file: BinaryIO, order: str) -> DataChunk | None:
    long, codec, block = 0, 0, 0
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(f"{order}4sI", head)
        if name == b"data":
            known = block and (long or size < UNKNOWN_SIZE)
            return DataChunk(long or size, _left(file), block, codec in FIXED_BLOCKS) if known else None
        body = file.read(size + size % 2) if size <= _HEADER else b""
        if name == b"ds64" and len(body) >= 16:
            (long,) = struct.unpack_from(f"{order}Q", body, 8)
        elif name == b"fmt " and len(body) >= 16:
            codec, _, _, _, block = struct.unpack_from(f"{order}HHIIH", body)
        elif not body:
            file.seek(size + size % 2, 1)
    return None


def _w64(file: BinaryIO) -> DataChunk | None:
    codec, block = 0, 0
    while len(head := file.read(24)) == 24 and (size := int.from_bytes(head[16:], "little") - 24) >= 0:
        if head[:4] == b"data":
            return DataChunk(size, _left(file), block, codec in FIXED_BLOCKS) if block else None
        if head[:4] == b"fmt " and 16 <= size <= _HEADER:
            codec, _, _, _, block = struct.unpack_from("<HHIIH", file.read(size))
            size = 0 - size
        file.seek(max(0, size) + -size % 8, 1)
    return None


def _aiff(file: BinaryIO) -> DataChunk | None:
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(">4sI", head)
        if name == b"SSND":
            return None if not 8 <= size < UNKNOWN_SIZE else DataChunk(size - 8, _left(file) - 8, 1, False)
        file.seek(size + size % 2, 1)
    return None


def ogg_is_cut(path: str | Path) -> bool:
    """Whether the last page of the stream of an Ogg file is missing."""
    with Path(path).open("rb") as file:
        if file.read(4) != b"OggS":
            return False
        size = file.seek(0, 2)
        file.seek(max(0, size - 2 * _PAGE))
        tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or at + 27 > len(tail) or at + 27 + tail[at + 26] > len(tail):
        return True
    length = 27 + tail[at + 26] + sum(tail[at + 27 : at + 27 + tail[at + 26]])
    return at + length > len(tail) or not tail[at + 5] & 4


def foreign(path: str | Path) -> str:
    """The name of the format of a file that libsndfile does not read; empty for other files."""
    with Path(path).open("rb") as file:
        head = file.read(16)
    return next((name for at, mark, name in FOREIGN if head[at : at + len(mark)] == mark), "")


def _left(file: BinaryIO) -> int:
    position = file.tell()
    return file.seek(0, 2) - position
