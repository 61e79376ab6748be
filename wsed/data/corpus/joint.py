"""Several corpora as one, also with different classes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from wsed.data.clip import Clip
from wsed.data.corpus.base import CORPORA, Corpus
from wsed.data.findings import Finding
from wsed.errors import WsedError
from wsed.registry import near
from wsed.types import Labels, Split

SPLITS: tuple[Split, ...] = ("validation", "test", "predict")


@CORPORA.register("joint")
class Joint(Corpus):
    """Several corpora as one. Its classes are those of all; what a corpus never annotated is unknown in its clips.

    Sources and clips are named after their corpus: `{home: {class_path: desed, ...}, street: ...}` has the sources
    `home/weak`, `street/strong` and so on, and clips such as `home/a.wav`.

    Args:
        corpora: the corpora, by names of your own.

    Raises:
        WsedError: there are none, or a name holds a slash.
    """

    def __init__(self, corpora: Mapping[str, Corpus]) -> None:
        if not corpora:
            raise WsedError("data.corpus.corpora is empty: name at least one corpus there")
        for name in corpora:
            if "/" in name or not name:
                raise WsedError(f"data.corpus.corpora: {name!r} cannot be a name; take one without a slash")
        self.corpora = dict(corpora)
        self.max_missing = max(corpus.max_missing for corpus in corpora.values())

    @cached_property
    def labels(self) -> Labels:
        """The classes of all corpora, each once, corpus by corpus."""
        return Labels(dict.fromkeys(label for corpus in self.corpora.values() for label in corpus.labels))

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of all corpora."""
        return tuple(f"{name}/{source}" for name, corpus in self.corpora.items() for source in corpus.sources)

    @property
    def annotated(self) -> Mapping[str, Collection[str]]:  # type: ignore[override]
        """The classes that each source annotates: at most those of its corpus."""
        return {
            f"{name}/{source}": corpus.annotated.get(source, corpus.labels.names)
            for name, corpus in self.corpora.items()
            for source in (*corpus.sources, *SPLITS)
        }

    def has(self, split: Split) -> bool:
        """Whether a corpus has clips of the split."""
        return any(corpus.has(split) for corpus in self.corpora.values())

    def clips(self, split: Split, sources: Collection[str] | None = None) -> Sequence[Clip]:
        """The clips of all corpora, one corpus after the other."""
        for source in sources or ():
            if source not in self.sources:
                raise WsedError(f"no source {source!r}{near(source, self.sources)}; known: {', '.join(self.sources)}")
        clips: list[Clip] = []
        for name, corpus in self.corpora.items():
            mine = None if sources is None else [s.partition("/")[2] for s in sources if s.startswith(f"{name}/")]
            if corpus.has(split) and mine != []:
                clips += [_named(clip, name) for clip in corpus.clips(split, mine)]
        return clips

    def notes(self, split: Split) -> Sequence[str]:
        """The notes of all corpora, each with the name of its corpus."""
        return [f"{name}: {note}" for name, corpus in self.corpora.items() for note in corpus.notes(split)]

    def findings(self, split: Split) -> Iterable[Finding]:
        """What is wrong with the lists of all corpora."""
        for corpus in self.corpora.values():
            yield from corpus.findings(split)


def _named(clip: Clip, corpus: str) -> Clip:
    """The clip with the name of its corpus: two corpora may have clips of one name."""
    recording = None if clip.recording is None else f"{corpus}/{clip.recording}"
    return replace(clip, id=f"{corpus}/{clip.id}", source=f"{corpus}/{clip.source}", recording=recording)
