"""Several corpora as one; their classes may differ."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from wsed.data.clip import Clip
from wsed.data.corpus.base import CORPORA, Corpus
from wsed.data.corpus.dcase2017 import DCASE2017
from wsed.data.corpus.desed import DESED
from wsed.data.findings import Finding
from wsed.errors import WsedError, near
from wsed.types import Labels, Split

SPLITS: tuple[Split, ...] = ("validation", "test", "predict")


@CORPORA.register("joint")
class Joint(Corpus):
    """Several corpora as one, with the classes of all. A class is unknown in clips whose corpus does not have it.

    The names of sources and clips begin with the name of their corpus: `{home: {class_path: desed, ...}, street: ...}`
    has the sources `home/weak`, `street/strong` and so on, and clips such as `home/a.wav`.

    Args:
        corpora: the corpora, by names that you choose.

    Raises:
        WsedError: there are no corpora, or a name contains a slash.

    >>> from pathlib import Path
    >>> from wsed.data.corpus.desed import DESED
    >>> home, street = DESED(Path("data/home"), labels=["Dog"]), DESED(Path("data/street"), labels=["Car"])
    >>> joint = Joint({"home": home, "street": street})
    >>> joint.labels.names, joint.sources[0], joint.annotated["home/weak"]
    (('Dog', 'Car'), 'home/weak', ('Dog',))
    """

    def __init__(self, corpora: Mapping[str, Corpus]) -> None:
        if not corpora:
            raise WsedError("data.corpus.corpora is empty: name at least one corpus there")
        for name in corpora:
            if "/" in name or not name:
                raise WsedError(f"data.corpus.corpora: {name!r} cannot be a name; use one without a slash")
        self.corpora = dict(corpora)
        self.max_missing = max(corpus.max_missing for corpus in corpora.values())

    @classmethod
    def example(cls, folder: Path) -> Corpus:
        """Two corpora whose classes differ."""
        return cls({"home": DESED.example(folder / "home"), "street": DCASE2017.example(folder / "street")})

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
        """The classes that each source annotates; never more than the classes of its corpus."""
        return {
            f"{name}/{source}": corpus.annotated.get(source, corpus.labels.names)
            for name, corpus in self.corpora.items()
            for source in (*corpus.sources, *SPLITS)
        }

    def has(self, split: Split) -> bool:
        """Whether one of the corpora has clips of the split."""
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
        """The defects of the lists of all corpora."""
        for corpus in self.corpora.values():
            yield from corpus.findings(split)


def _named(clip: Clip, corpus: str) -> Clip:
    """The clip with the name of its corpus in front, since clips of two corpora may have the same name."""
    recording = None if clip.recording is None else f"{corpus}/{clip.recording}"
    return replace(clip, id=f"{corpus}/{clip.id}", source=f"{corpus}/{clip.source}", recording=recording)
