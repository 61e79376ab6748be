"""The corpora of studies: made from a soundbank before the first run, or supplied by the user."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsed.errors import WsedError
from wsed.files import write_text
from wsed.study.job import refuse_file
from wsed.study.pool import Pool
from wsed.study.rows import Recipe
from wsed.study.runner import tail
from wsed.study.scales import MadeCorpus
from wsed.text import read_json_object


@dataclass(frozen=True)
class StudyCorpus:
    """The corpus of a study.

    Args:
        root: folder of the corpus.
        words: description for the report.
        made: how it is made; None: the user supplies it.
        soundbank: soundbank from which it is made.

    >>> StudyCorpus(Path("data/desed"), "DESED").done()
    True
    """

    root: Path
    words: str
    made: MadeCorpus | None = None
    soundbank: str = "builtin"

    @property
    def command(self) -> tuple[str, ...]:
        """The arguments that make it, with full paths; none if the user supplies it."""
        if self.made is None:
            return ()
        soundbank = Path(self.soundbank)
        bank = str(soundbank.resolve()) if soundbank.is_dir() else self.soundbank
        return self.made.command(str(self.root.resolve()), bank)

    @property
    def mark(self) -> Path:
        """The file that holds the command once the corpus is made."""
        return self.root.with_name(f"{self.root.name}.json")

    def done(self) -> bool:
        """Whether it exists.

        Raises:
            WsedError: a corpus with other settings was made in its place, or a file is there.
        """
        if self.made is None:
            return True
        refuse_file(self.root)
        if not self.mark.is_file():
            return False
        begun = read_json_object(self.mark, "remove it").get("command")
        if _settings(begun) != _settings(list(self.command)):
            raise WsedError(f"{self.root} was made with other settings (see {self.mark}): give another --out")
        return self.root.is_dir()


def _settings(command: object) -> object:
    """The arguments that decide what is made, without the place of the study, so that its folder can be moved."""
    if not isinstance(command, list) or not {"--out", "--soundbank"} <= set(command[:-1]):
        return command
    root, bank = (Path(command[command.index(flag) + 1]) for flag in ("--out", "--soundbank"))
    words = [word for word in command if word not in (str(root), str(bank))]
    study, bank = root.resolve().parents[1], bank.resolve() if bank.is_dir() else bank
    return [*words, str(bank.relative_to(study) if bank.is_relative_to(study) else bank)]


def corpus_of(recipe: Recipe, scale: str, out: Path, root: Path | None, soundbank: str) -> StudyCorpus:
    """The corpus of a study.

    Args:
        recipe: the recipe.
        scale: name of the scale.
        out: folder of all studies; made corpora are in `<out>/corpora`.
        root: corpus of the user; None: the corpus of the scale is made.
        soundbank: soundbank from which it is made.

    Raises:
        WsedError: the scale needs a corpus of the user.

    >>> from wsed.study.scales import Scale
    >>> recipe = Recipe(Path("paper"), "A paper", {}, {}, (), scales={"full": Scale(paper="DESED")})
    >>> corpus_of(recipe, "full", Path("runs"), None, "builtin")
    Traceback (most recent call last):
    wsed.errors.WsedError: paper at scale full needs the corpus of the paper (DESED): give its folder by --root
    """
    chosen = recipe.scales[scale]
    if root is not None:
        given = f", given as the paper's: {chosen.paper}; this was not checked" if chosen.paper else ", one's own"
        return StudyCorpus(root, f"`{root}`{given}")
    if chosen.corpus is None:
        name = f" ({chosen.paper})" if chosen.paper else ""
        raise WsedError(
            f"{recipe.folder.name} at scale {scale} needs the corpus of the paper{name}: give its folder by --root"
        )
    made = chosen.corpus
    how = f"by `python -m {made.module}`" if made.module else f"by `wsed data synth --recipe {made.recipe}`"
    clips = " ".join(f"{split}={n}" for split, n in made.clips.items()) or " ".join(made.arguments)
    words = f"soundscapes {how}, soundbank `{soundbank}`{f', {clips}' if clips else ''}"
    return StudyCorpus(out / "corpora" / made.name, words, made, soundbank)


def make_corpora(corpora: Sequence[StudyCorpus], pool: Pool) -> None:
    """Make the corpora that are missing, side by side.

    Raises:
        WsedError: one cannot be made; the message has the end of its log.

    >>> with Pool(1) as pool:
    ...     make_corpora([StudyCorpus(Path("data/desed"), "one's own")], pool)
    """
    missing = {corpus.root: corpus for corpus in corpora if not corpus.done()}
    at_work = []
    for root, corpus in missing.items():
        root.parent.mkdir(parents=True, exist_ok=True)
        log = root.with_name(f"{root.name}.log")
        module = None if corpus.made is None else corpus.made.module
        at_work.append((corpus, log, pool.submit([corpus.command], log, module)))
    for corpus, log, future in at_work:
        failure = future.result().failure
        if failure is not None:
            raise WsedError(f"the corpus {corpus.root} could not be made ({failure}):\n{tail(log)}")
        write_text(corpus.mark, json.dumps({"command": corpus.command}) + "\n")
