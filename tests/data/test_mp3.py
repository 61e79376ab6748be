"""The length of an MP3 is that of its frames, whatever it says or does not say of it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from wsed.data import audio, mp3
from wsed.errors import WsedError

SECONDS = 5


def noise(rate: int, channels: int = 1) -> np.ndarray:
    """Two quiet seconds, then loud ones: their frames differ in length where the bit rate may vary."""
    samples = np.random.default_rng(0).normal(0, 0.1, (rate * SECONDS, channels))
    samples[: 2 * rate] *= 1e-3
    return samples


def write(path: Path, rate: int = 16000, mode: str = "VARIABLE", channels: int = 1) -> bytes:
    soundfile.write(path, noise(rate, channels), rate, bitrate_mode=mode, compression_level=0.5)
    return path.read_bytes()


def bare(path: Path, content: bytes) -> bytes:
    """Without the header that counts the frames, as recorders and stream rippers write."""
    path.write_bytes(content)
    found = mp3.frames(path)
    assert found is not None
    assert found.declared is not None
    return content[found.begin :]


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_that_does_not_say_how_long_it_is(tmp_path: Path, rate: int, mode: str, channels: int) -> None:
    path = tmp_path / "clip.mp3"
    content = write(path, rate, mode, channels)
    stated = audio.read(path, rate)
    assert audio.info(path).n_samples == len(stated) == SECONDS * rate
    path.write_bytes(bare(path, content))
    found = audio.info(path)
    assert SECONDS * rate <= found.n_samples <= SECONDS * rate + 3 * 1152
    samples = audio.read(path, rate)
    assert len(samples) == found.n_samples == audio.decodable(path)
    end = audio.read(path, rate, start=found.duration - 0.5)
    np.testing.assert_allclose(end[-2000:], samples[-2000:], atol=1e-3)
    # Sound where it was: the header told of the encoder's delay of 576 samples, which is heard without it.
    best = max(
        range(400, 1500), key=lambda shift: float(stated[3 * rate : 4 * rate] @ samples[3 * rate + shift :][:rate])
    )
    assert best == 576


def test_files_joined_are_read_to_their_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp3"
    content = write(path)
    path.write_bytes(content * 2)
    assert audio.info(path).duration == pytest.approx(2 * SECONDS, abs=0.2)
    samples = audio.read(path, 16000)
    assert len(samples) == audio.info(path).n_samples
    assert np.abs(samples[-16000:]).max() > 0.1


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp3"
    content = write(path)
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(WsedError, match="is truncated: its header declares 80000 samples"):
        audio.info(path)
    found = audio.header(path)
    assert audio.decodable(path) == found.n_samples - found.missing
    assert len(audio.read(path, 16000, duration=1.0)) == 16000


def test_what_stands_before_and_after_the_frames(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp3"
    content = write(path)
    plain = bare(path, content)
    path.write_bytes(plain)
    n_samples = audio.info(path).n_samples
    tag = b"ID3\4\0\0\0\0\2\0" + bytes(256)
    for odd in (tag + plain, plain + b"TAG" + bytes(125), tag + plain[:20000] + tag + plain[20000:]):
        path.write_bytes(odd)
        assert abs(audio.info(path).n_samples - n_samples) <= 576
        assert len(audio.read(path, 16000)) == audio.info(path).n_samples
    path.write_bytes(plain[100:])  # begins within a frame
    assert n_samples - 3 * 576 <= audio.info(path).n_samples < n_samples
    path.write_bytes(content + b"TAG" + bytes(125))
    assert audio.info(path).n_samples == 80000


def test_files_of_different_kinds_joined_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp3"
    joined = write(path, 16000) + write(path, 44100)
    path.write_bytes(joined)
    with pytest.raises(WsedError, match="MP3 files of different kinds are joined"):
        audio.info(path)


def test_what_is_no_mp3(tmp_path: Path) -> None:
    for content in (
        b"",
        b"\xff",
        b"\xff\xfb",
        b"\xff\xfb\x90\0" * 3,
        b"ID3\4",
        b"no sound" * 100,
        b"ID3\4\0\0\x7f\x7f\x7f\x7f",
    ):
        (tmp_path / "clip.mp3").write_bytes(content)
        assert mp3.frames(tmp_path / "clip.mp3") is None
        assert mp3.frames(tmp_path / "clip.mp3", anywhere=True) is None
