"""Two small corpora: one clean, one with every defect the data doctor knows, each once."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from wsed.data.corpus.desed_layout import DESED_LABELS

RATE = 8000
STRONG = "filename\tonset\toffset\tevent_label\n"


def noise(seed: int, seconds: float = 1.0, rate: int = RATE) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * rate))


def write(path: Path, audio: NDArray[np.floating], rate: int = RATE, subtype: str = "PCM_16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # libsndfile rounds floats one way for WAV and another for FLAC; whole numbers stay the same in both.
    samples = (audio * 32767).astype(np.int16) if subtype == "PCM_16" else audio
    soundfile.write(path, samples, rate, subtype=subtype)


def cut(path: Path) -> None:
    """What a download that broke off leaves."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def clean(root: Path) -> Path:
    """Four clips a split; train has tags, events and unlabelled clips."""
    for seed, (part, i) in enumerate(
        (p, i) for p in ("train/weak", "validation/validation", "eval/public") for i in range(4)
    ):
        write(root / "audio" / part / f"{i}.wav", noise(seed))
    for i in range(2):
        write(root / "audio/train/unlabel_in_domain" / f"u{i}.flac", noise(100 + i))
    tables = {
        "train/weak": "filename\tevent_labels\n" + "".join(f"{i}.wav\tDog,Speech\n" for i in range(3)) + "3.wav\t\n",
        "train/unlabel_in_domain": "filename\nu0.wav\nu1.wav\n",
        "validation/validation": f"{STRONG}0.wav\t0.1\t0.4\tDog\n0.wav\t0.1\t0.9\tSpeech\n"
        "1.wav\t0\t1\tDog\n2.wav\n3.wav\n",
        "eval/public": STRONG + "".join(f"{i}.wav\t0.25\t0.75\tCat\n" for i in range(4)),
    }
    for name, text in tables.items():
        (root / "metadata" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "metadata" / f"{name}.tsv").write_text(text)
    (root / "metadata/labels.txt").write_text("".join(f"{label}\n" for label in DESED_LABELS))
    return root


def broken(root: Path) -> Path:
    """The clean corpus and every defect, in a clip or a row of its own; see `DEFECTS`."""
    clean(root)
    audio = root / "audio/train/weak"
    write(audio / "truncated.wav", noise(20))
    cut(audio / "truncated.wav")
    write(audio / "truncated.flac", noise(21))
    cut(audio / "truncated.flac")
    (audio / "unreadable.wav").write_text("<html>video unavailable</html>")
    write(audio / "zeros.wav", np.zeros(RATE))
    write(audio / "faint.wav", 1e-3 * noise(22))
    write(audio / "clipped.wav", np.clip(20 * np.sin(np.arange(RATE) / 50), -1, 1))
    write(audio / "rate.wav", noise(23, rate=16000), 16000)
    write(audio / "short.wav", noise(24, 0.5))
    samples = noise(25)
    samples[10] = np.nan
    write(audio / "nan.wav", samples, subtype="FLOAT")
    write(audio / "again.flac", noise(0))
    write(audio / "stolen.wav", noise(4))
    write(audio / "YabcDEF-_123_0.000_10.000.wav", noise(26))
    write(root / "audio/validation/validation/YabcDEF-_123_0.000_10.000.wav", 0.9 * noise(26))
    write(audio / "unlisted.wav", noise(27))
    names = sorted(
        p.stem + ".wav" for p in audio.iterdir() if p.stem not in ("0", "1", "2", "3", "unlisted", "truncated")
    )
    with (root / "metadata/train/weak.tsv").open("a") as file:
        file.writelines(f"{name}\tDog\n" for name in [*names, "truncated.wav", "truncated.flac", "missing.wav"])
        file.write("0.wav\tDog,Speech\n1.wav\tDogs\n2.wav\tDogs,Speech\n\tDog\n1.wav\tDog\tSpeech\n")
    with (root / "metadata/validation/validation.tsv").open("a") as file:
        file.write("YabcDEF-_123_0.000_10.000.wav\t0\t1\tDog\n")
        file.write("1.wav\t0.5\t1.5\tCat\n2.wav\t1.5\t1.8\tCat\n3.wav\t0.5\t0.2\tCat\n0.wav\t0.1\t0.4\tDog\n")
    (root / "metadata/train/notes.tsv").write_text("who\twhat\nme\tnothing\n")
    (root / "metadata/audioset").mkdir()
    (root / "metadata/audioset/strong.tsv").write_text(STRONG)
    return root


DEFECTS = [
    ("error", "event_outside", "validation/validation", 9, "2.wav"),
    ("error", "folder", "audioset/strong", None, ""),
    ("error", "leak", "train/weak", 13, "stolen.wav"),
    ("error", "leak", "train/weak", 6, "YabcDEF-_123_0.000_10.000.wav"),
    ("error", "nan", "train/weak", 10, "nan.wav"),
    ("error", "row", "train/weak", 22, ""),
    ("error", "row", "train/weak", 23, ""),
    ("error", "row", "validation/validation", 10, ""),
    ("error", "table", "train/notes", None, ""),
    ("error", "truncated", "train/weak", 16, "truncated.wav"),
    ("error", "truncated", "train/weak", 17, "truncated.flac"),
    ("error", "unknown_label", "train/weak", 20, "1.wav"),
    ("error", "unreadable", "train/weak", 14, "unreadable.wav"),
    ("warning", "clipped", "train/weak", 8, "clipped.wav"),
    ("warning", "duplicate", "train/weak", 2, "0.wav"),
    ("warning", "event_outside", "validation/validation", 8, "1.wav"),
    ("warning", "missing", "train/weak", 18, "missing.wav"),
    ("warning", "repeated_row", "train/weak", 19, "0.wav"),
    ("warning", "repeated_row", "validation/validation", 11, "0.wav"),
    ("warning", "short", "train/weak", 12, "short.wav"),
    ("warning", "silent", "train/weak", 9, "faint.wav"),
    ("warning", "silent", "train/weak", 15, "zeros.wav"),
    ("warning", "wrong_rate", "train/weak", 11, "rate.wav"),
    ("note", "unlisted", "", None, ""),
]
