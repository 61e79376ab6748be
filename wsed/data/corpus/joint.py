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

    A source of a corpus is named after both: `{home: {class_path: desed, ...}, street: ...}` has `home/weak`,
    `street/strong` and so on.

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
                clips += [replace(clip, source=f"{name}/{clip.source}") for clip in corpus.clips(split, mine)]
        return clips

    def findings(self, split: Split) -> Iterable[Finding]:
        """What is wrong with the lists of all corpora."""
        for corpus in self.corpora.values():
            yield from corpus.findings(split)
