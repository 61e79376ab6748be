"""The base of corpora whose lists name stretches of YouTube videos: much of their audio is gone, and told of."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsed.data import table as tsv
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.corpus.videos.clips import Found, VideoClips
from wsed.data.corpus.videos.files import VideoFiles
from wsed.data.corpus.videos.layout import audio_folder, find_list, list_there, not_there
from wsed.data.corpus.videos.lists import Segments, read_segments
from wsed.data.holdout import held_out
from wsed.data.module import SEDDataModule
from wsed.data.sound_files import header
from wsed.errors import WsedError
from wsed.registry import near


class VideoCorpus(SEDDataModule):
    """Clips found by the id of their video in a folder and below it, see `wsed.data.corpus.videos.files`.

    Args:
        root: the corpus.
        classes: the name of each class by what the lists call it, in order.
        train: list of each source.
        stages: list of the clips of `validation`, `test` and `predict`; None: there are none. Without the `usual_test`
            list, training goes on and tells so.
        batch: clips of each source in a training batch.
        lists: folder of the lists, which may also lie in a folder below it; `root` if None.
        audio: folder of the clips, at any depth; `root/audio` if None, or `root` where there is no such folder.
        holdout: share of the training clips, of each class, that is kept for validation; None: none.
        holdout_seed: of their choice.
        headers: leave out files that cannot be read or hold nothing; this opens every file at the start, some thousands
            a second. Else one such file ends the training.
        max_missing: greatest share of clips that may be missing or unreadable.
        loading: the other settings of `SEDDataModule`.

    Raises:
        WsedError: settings that contradict each other, or the list of the test clips or of those to predict is not
            there.
    """

    usual_test = ""
    """Name of the list of the test clips unless the user gives another."""

    def __init__(
        self,
        root: Path,
        classes: Mapping[str, str],
        train: Mapping[str, str],
        stages: Mapping[str, str | None],
        batch: Mapping[str, int],
        lists: Path | None = None,
        audio: Path | None = None,
        holdout: float | None = None,
        holdout_seed: int = 0,
        headers: bool = True,
        max_missing: float = 1.0,
        **loading: Any,
    ) -> None:
        self.root, self.stages, self.train = Path(root), dict(stages), dict(train)
        self.lists, self.audio = _lists(root, lists), audio
        self.holdout, self.holdout_seed, self.headers = holdout, holdout_seed, headers
        for name in batch:
            if name not in train:
                raise WsedError(f"data.batch names the source {name!r}{near(name, train)}; known: {', '.join(train)}")
        if holdout is not None and not 0 < holdout < 1:
            raise WsedError(f"data.holdout must lie between 0 and 1, not {holdout}; null: no clips are held out")
        if holdout is not None and stages["validation"] is not None:
            raise WsedError(
                f"data.validation names the list {stages['validation']}, and data.holdout makes validation clips of "
                "training ones: set one of them to null"
            )
        if holdout is not None:
            self.stages["validation"] = "held out"
        self._absent = {name: self._drop_absent(name) for name in ("test", "predict")}
        self._index = {name: i for i, name in enumerate(classes)}
        self._files: VideoFiles | None = None
        self._notes: list[str] = []
        super().__init__(list(classes.values()), batch, max_missing=max_missing, **loading)

    def setup(self, stage: str | None = None) -> None:
        absent = self._absent.get(stage or "") or (self._absent["test"] if stage == "fit" else "")
        if absent and stage != "fit":
            raise WsedError(absent)
        if absent and (self.trainer is None or self.trainer.is_global_zero):
            print(f"no test: {absent}")
        super().setup(stage)

    def _drop_absent(self, stage: str) -> str:
        """Not everybody has the usual list of the test clips: go on without; why, if it is not there."""
        name = self.stages[stage]
        if name is None or list_there(self.lists, name) is not None:
            return ""
        if name != self.usual_test:
            raise WsedError(f"data.{stage}: {not_there(self.lists, name)}")
        self.stages[stage] = None
        return f"no list {name} in {self.lists} or a folder in it; put it there, or set data.lists or data.{stage}"

    def read(self, stage: str) -> list[Clip]:
        return list(self._load(stage, None)[0].clips)

    def segments(self, stage: str, source: str) -> Segments:
        """The clips of a stage that one list names, whether their audio is there or not."""
        if source in self.train:
            return self._segments(source, self.train[source])
        name = self.stages[stage]
        if name is None:
            raise WsedError(f"data.{stage} is null: the corpus has no such clips")
        return self._segments(stage, name)

    def _segments(self, source: str, name: str) -> Segments:
        """The clips of a list."""
        return read_segments(find_list(self.lists, name), self._index)

    def _parts(self, stage: str) -> list[tuple[str, Segments]]:
        """The lists of a stage, by source."""
        held = stage == "validation" and self.holdout is not None
        if stage != "train" and not held:
            return [] if self.stages[stage] is None else [(stage, self.segments(stage, stage))]
        parts = [(name, self.segments("train", name)) for name, clips in self.batch.items() if clips > 0]
        if self.holdout is None:
            return parts
        chosen = self._held_out([segments for _, segments in parts])
        some = [(name, s.take(np.flatnonzero(c == held))) for (name, s), c in zip(parts, chosen, strict=True)]
        return [("validation" if held else name, segments) for name, segments in some]

    def _held_out(self, lists: Sequence[Segments]) -> list[NDArray[np.bool_]]:
        """Which clips of each list are for validation; one in several lists is so in all of them, or in none."""
        assert self.holdout is not None
        chosen: set[tuple[bytes, float]] = set()
        masks = []
        for segments in lists:
            mask = held_out(segments.labels, len(self.labels), self.holdout, self.holdout_seed).numpy()
            if len(lists) > 1:
                keys = list(zip(segments.video.tolist(), segments.begin.tolist(), strict=True))
                chosen.update(key for key, held in zip(keys, mask.tolist(), strict=True) if held)
            masks.append(mask)
        if len(lists) == 1:
            return masks
        everything = [zip(s.video.tolist(), s.begin.tolist(), strict=True) for s in lists]
        return [np.array([key in chosen for key in keys]) for keys in everything]

    def _load(self, stage: str, report: Path | None) -> tuple[ClipTable, int]:
        self._notes = []
        missing: list[tuple[str, str, str, str]] = []
        parts = [self._found(name, segments, missing, report) for name, segments in self._parts(stage)]
        if missing and report is not None:
            tsv.write_rows(report, ("filename", "source", "path", "reason"), missing)
        total = sum(len(part.segments) for part in parts) + len(missing)
        if len(missing) > self.max_missing * total:
            raise WsedError(
                f"{stage}: {len(missing)} of {total} clips are missing, more than data.max_missing "
                f"({self.max_missing:g}) allows. {' '.join(self._notes)}"
            )
        if not parts:
            return self._arrays([]), 0
        clips = VideoClips.of(parts, self._sounds(), self.labels)
        return clips.table(inf if self.duration is None else self.duration), len(missing)

    def _found(
        self, source: str, segments: Segments, missing: list[tuple[str, str, str, str]], report: Path | None
    ) -> Found:
        """The clips that have a file; the others are noted."""
        sounds, name = self._sounds(), segments.path.name
        file = sounds.find(segments.video, segments.begin)
        duration, reasons = np.full(len(file), np.nan), {}
        if self.headers:
            with ThreadPoolExecutor(8) as pool:
                there = np.flatnonzero(file >= 0).tolist()
                for i, found in zip(there, pool.map(lambda i: header(sounds.path(int(file[i]))), there), strict=True):
                    if isinstance(found, str):
                        file[i], reasons[i] = -1, found
                    else:
                        duration[i] = found
        absent, kept = np.flatnonzero(file < 0), np.flatnonzero(file >= 0)
        if not len(kept):
            raise WsedError(_nothing(segments, sounds, reasons))
        for i in absent.tolist():
            missing.append((segments.name(i), source, str(sounds.folder), reasons.get(i, "no file of this name")))
        if len(absent):
            few = ", ".join(segments.name(i) for i in absent[:3].tolist()) + (", ..." if len(absent) > 3 else "")
            listed = f", listed in {report}" if report else ""
            holes = f"{len(absent)} of {len(file)} clips have no readable sound file in {sounds.folder}"
            self._notes.append(f"{name}: {holes}: {few}{listed}")
        if segments.others:
            self._notes.append(f"{name}: {segments.others} labels are of other classes and left out")
        return Found(source, segments.take(kept), file[kept], duration[kept])

    def _sounds(self) -> VideoFiles:
        if self._files is None:
            self._files = VideoFiles(audio_folder(self.root, self.audio))
        return self._files

    def _tell(self, name: str, present: Sequence[Clip], missing: int, report: Path | None) -> None:
        for note in self._notes:
            print(f"{name}: {note}")


def _lists(root: Path, lists: Path | None) -> Path:
    folder = Path(root if lists is None else lists)
    if not folder.is_dir():
        raise WsedError(
            f"no such folder: {folder}; set data.{'root' if lists is None else 'lists'} to that of the lists"
        )
    return folder


def _nothing(segments: Segments, sounds: VideoFiles, reasons: Mapping[int, str]) -> str:
    if reasons:
        return f"{segments.path}: none of its clips can be read: {next(iter(reasons.values()))}"
    name = segments.name(0)
    some = (
        f"{len(sounds)} clips of videos are there, such as {sounds.path(0).name}"
        if len(sounds)
        else "no clip of a video"
    )
    return (
        f"{segments.path}: none of its {len(segments)} clips is in {sounds.folder} or below ({some}); looked for "
        f"{name}, Y{name}, {segments.video[0].decode()}.wav and the like; set data.audio to the folder of the clips"
    )
