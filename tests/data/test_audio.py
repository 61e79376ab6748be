"""Sound files of every rate, channel count and state come back as mono float32, or as one clear message."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from wsed.data import audio
from wsed.errors import WsedError


def sine(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


@pytest.mark.parametrize("suffix", audio.WRITTEN)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged_in_every_format(tmp_path: Path, suffix: str, channels: int) -> None:
    if suffix == ".mp3" and channels > 2:
        pytest.skip("MP3 has no more than two channels")
    gains = np.linspace(0.5, 1.0, channels)
    path = tmp_path / f"clip{suffix}"
    soundfile.write(path, sine(16000)[:, None] * gains, 16000)
    got = audio.read(path, 16000)
    assert got.dtype == np.float32
    assert got.ndim == 1
    assert got.flags.c_contiguous
    assert len(got) == 16000
    tolerance = {".wav": 1e-4, ".flac": 1e-4, ".ogg": 0.05, ".mp3": 0.05}[suffix]
    # The ends are left out: lossy formats ring there.
    np.testing.assert_allclose(got[1000:-1000], (sine(16000) * gains.mean())[1000:-1000], atol=tolerance)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000])
def test_other_rates_are_resampled(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "clip.wav", sine(rate), rate)
    got = audio.read(tmp_path / "clip.wav", 16000)
    assert got.dtype == np.float32
    assert abs(len(got) - 16000) <= 1
    middle = slice(1000, -1000)
    np.testing.assert_allclose(got[:16000][middle], sine(16000)[: len(got)][middle], atol=2e-3)


def test_resampling_removes_what_the_new_rate_cannot_hold(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", sine(32000, hertz=12000), 32000)
    assert np.abs(audio.read(tmp_path / "clip.wav", 16000)[500:-500]).max() < 1e-3


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_part_is_the_same_as_that_part_of_the_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 16000), 8000)
    whole = audio.read(path, 8000)
    np.testing.assert_allclose(audio.read(path, 8000, start=0.5, duration=0.25), whole[4000:6000], atol=1e-6)
    np.testing.assert_allclose(audio.read(path, 8000, start=1.5), whole[12000:], atol=1e-6)
    assert len(audio.read(path, 8000, start=1.9, duration=5.0)) == 800
    with pytest.raises(WsedError, match=r"no samples after 2 s"):
        audio.read(path, 8000, start=2.0)
    with pytest.raises(WsedError, match=r"no samples after 9 s"):
        audio.read(path, 8000, start=9.0)


def test_64_bit_audio_comes_back_as_float32(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", sine(8000), 8000, subtype="DOUBLE")
    assert audio.read(tmp_path / "clip.wav", 8000).dtype == np.float32
    assert audio.decode(tmp_path / "clip.wav")[0].dtype == np.float32


def test_info_reads_the_header(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.flac", np.zeros((12000, 2)), 8000)
    found = audio.info(tmp_path / "clip.flac")
    assert (found.n_samples, found.sample_rate, found.n_channels, found.duration) == (12000, 8000, 2, 1.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(tmp_path: Path, bad: float) -> None:
    samples = np.zeros(800, np.float32)
    samples[17] = bad
    soundfile.write(tmp_path / "clip.wav", samples, 8000, subtype="FLOAT")
    with pytest.raises(WsedError, match=r"clip\.wav holds NaN or infinite samples"):
        audio.read(tmp_path / "clip.wav", 16000)


def test_zero_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", np.zeros(0), 8000)
    assert audio.info(tmp_path / "clip.wav").n_samples == 0
    for rate in (8000, 16000):
        with pytest.raises(WsedError, match=r"clip\.wav holds no samples"):
            audio.read(tmp_path / "clip.wav", rate)


def test_a_clip_too_short_to_resample_is_no_empty_array(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", np.full(1, 0.5), 44100)
    with pytest.raises(WsedError, match="holds no samples"):
        audio.read(tmp_path / "clip.wav", 16000)


@pytest.mark.parametrize("function", [audio.info, audio.decode, audio.decodable, lambda path: audio.read(path, 16000)])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.wav", None, "no such file"),
        ("empty.wav", b"", "is an empty file"),
        ("text.wav", b"<html>video unavailable</html>", "cannot read .* as sound"),
        ("text.mp3", b"<html>video unavailable</html>", "cannot read .* as sound"),
        ("clip.wav", b"\0\0\0\x20ftypM4A \0\0\0\0isom", "it is M4A or MP4, .*; convert it to FLAC"),
        ("clip.ogg", b"\x1aE\xdf\xa3" + bytes(20), "it is WebM or Matroska"),
        ("clip.mp3", b"\xff\xf1" + bytes(20), "it is AAC"),
        ("clip.raw", bytes(20), "raw samples without a header; convert it"),
        ("a dog barks " * 30 + ".wav", None, "File name too long"),
    ],
)
def test_what_is_no_sound_file(tmp_path: Path, function, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WsedError, match=message) as caught:
        function(tmp_path / name)
    assert name[:100] in str(caught.value)
    assert len(str(caught.value)) < 500


def test_truncated_wav_gives_no_more_than_is_there(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, sine(8000), 8000, subtype="PCM_16")
    whole = audio.read(path, 8000)
    path.write_bytes(path.read_bytes()[:8044])  # 44 bytes of header, 4,000 samples
    np.testing.assert_array_equal(audio.read(path, 8000, duration=0.5), whole[:4000])
    for function in (audio.info, audio.decode, lambda path: audio.read(path, 8000, 0.4, 0.2)):
        with pytest.raises(
            WsedError, match=r"clip\.wav is truncated: its header declares 8000 samples, 4000 are there"
        ):
            function(path)
    assert audio.header(path) == audio.AudioInfo(8000, 8000, 1, 4000)
    assert audio.decodable(path) == 4000


CODECS = [
    *(("WAV", codec) for codec in ("PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32")),
    *(("WAV", codec) for codec in ("NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32")),
    *(("AIFF", "PCM_16"), ("AIFF", "GSM610"), ("AU", "PCM_16"), ("AU", "G721_32"), ("AU", "G723_24")),
    *(("W64", "PCM_16"), ("W64", "GSM610"), ("RF64", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", "PCM_16")),
    ("MP3", "MPEG_LAYER_III"),
]


@pytest.mark.parametrize(("form", "codec"), CODECS)
def test_what_libsndfile_reads_is_read_or_refused_where_it_was_cut(tmp_path: Path, form: str, codec: str) -> None:
    """Codecs that cannot seek (GSM, G.721, NMS ADPCM) too, from the start and from within."""
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 24000), 8000, format=form, subtype=codec)
    whole = audio.read(path, 8000)
    assert len(whole) == audio.info(path).n_samples == audio.decodable(path)
    assert 24000 <= len(whole) <= 24400
    np.testing.assert_allclose(audio.read(path, 8000, 1.0, 0.5), whole[8000:12000], atol=1e-6)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(WsedError, match=r"clip\.wav is (truncated|damaged).*; download it again"):
        audio.read(path, 8000)


def test_truncated_flac_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "clip.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 32000), 16000)
    path.write_bytes(path.read_bytes()[:30000])
    assert audio.info(path).n_samples == 32000
    assert 0 < audio.decodable(path) < 32000
    assert len(audio.read(path, 16000, duration=0.1)) == 1600
    for start in (0.0, 1.9):
        with pytest.raises(WsedError, match=r"clip\.flac is damaged"):
            audio.read(path, 16000, start=start)


def test_flac_of_unknown_length(tmp_path: Path) -> None:
    path = tmp_path / "clip.flac"
    soundfile.write(path, sine(8000), 8000)
    content = bytearray(path.read_bytes())
    # The 36 bits of STREAMINFO that count the samples, left 0 by an encoder that writes to a pipe.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    for function in (audio.info, audio.decode):
        with pytest.raises(WsedError, match="does not declare its length"):
            function(path)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".WAV"])
def test_write_and_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    audio.write(path, sine(8000), 8000)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    tolerance = 0.05 if suffix == ".ogg" else 1e-4
    np.testing.assert_allclose(audio.read(path, 8000), sine(8000), atol=tolerance)


def test_write_clips_and_refuses_other_suffixes(tmp_path: Path) -> None:
    audio.write(tmp_path / "loud.wav", np.array([2.0, -2.0]), 8000)
    np.testing.assert_allclose(audio.read(tmp_path / "loud.wav", 8000), [1.0, -1.0], atol=1e-4)
    with pytest.raises(WsedError, match=r"clip\.aac.*\.wav"):
        audio.write(tmp_path / "clip.aac", sine(8000), 8000)
