"""The scales of a recipe: the corpus, overlays, rows, seeds and settings with which `wsed reproduce` runs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeGuard

from wsed.errors import WsedError, near

ScaleName = Literal["smoke", "small", "full"]
FIELDS = ("corpus", "overlays", "rows", "seeds", "settings", "paper")
CORPUS_FIELDS = ("name", "recipe", "seed", "clips", "module", "arguments")


@dataclass(frozen=True)
class MadeCorpus:
    """A corpus that is made from a soundbank before the first run.

    Args:
        name: name of its folder; recipes with the same name share the corpus.
        recipe: recipe of `wsed data synth`.
        seed: seed of `wsed data synth`.
        clips: number of clips of `train`, `validation` and `eval`.
        module: a module that makes the corpus instead, run with `arguments`, `--out` and `--soundbank`.
        arguments: arguments of the module that stand before these.

    >>> MadeCorpus("toy", clips={"train": 2}).command("data/toy", "builtin")
    ('data', 'synth', '--out', 'data/toy', '--soundbank', 'builtin', '--recipe', 'domestic', '--seed', '0', \
'--clips', 'train=2')
    """

    name: str
    recipe: str = "domestic"
    seed: int = 0
    clips: Mapping[str, int] = field(default_factory=dict)
    module: str | None = None
    arguments: tuple[str, ...] = ()

    def command(self, out: str, soundbank: str) -> tuple[str, ...]:
        """The arguments of `wsed`, or of the module, that make the corpus."""
        place = ("--out", out, "--soundbank", soundbank)
        if self.module is not None:
            return (*self.arguments, *place)
        clips = [f"{split}={n}" for split, n in self.clips.items()]
        chosen = ("--clips", *clips) if clips else ()
        return ("data", "synth", *place, "--recipe", self.recipe, "--seed", str(self.seed), *chosen)


@dataclass(frozen=True)
class Scale:
    """One scale of a recipe.

    Args:
        corpus: the corpus that is made; None: the user supplies it with `--root`.
        overlays: overlays of the recipe; the first one that is for a row is merged over it.
        rows: names and patterns of the rows, those with `!` in front take out; if empty, all rows with an overlay.
        seeds: number of seeds; None: those of each row.
        settings: settings of every run, by their names on the command line.
        paper: name of the corpus of the paper; None: another corpus is used.

    >>> Scale(seeds=2).paper is None
    True
    """

    corpus: MadeCorpus | None = None
    overlays: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    seeds: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    paper: str | None = None


def read_scale(place: str, entry: object) -> Scale:
    """Read a scale of a recipe.

    Args:
        place: the place of the entry, for messages.
        entry: the value in the YAML file.

    Raises:
        WsedError: a field is unknown or malformed.

    >>> read_scale("smoke", {"corpus": {"name": "toy"}, "overlays": ["tiny"], "seeds": 2}).overlays
    ('tiny',)
    """
    fields = _fields(place, entry, FIELDS)
    seeds = fields.get("seeds")
    if seeds is not None and (not is_whole(seeds) or seeds < 1):
        raise WsedError(f"{place}.seeds is {seeds!r}; write a number of seeds")
    settings = fields.get("settings", {})
    if not isinstance(settings, Mapping):
        raise WsedError(
            f"{place}.settings is {settings!r}; write settings by their names, as {{trainer.max_epochs: 1}}"
        )
    corpus = None if fields.get("corpus") is None else _corpus(f"{place}.corpus", fields["corpus"])
    paper = None if fields.get("paper") is None else str(fields["paper"])
    overlays, rows = (_names(f"{place}.{name}", fields.get(name, [])) for name in ("overlays", "rows"))
    return Scale(corpus, overlays, rows, seeds, {str(k): v for k, v in settings.items()}, paper)


def _corpus(place: str, entry: object) -> MadeCorpus:
    fields = _fields(place, entry, CORPUS_FIELDS)
    if "name" not in fields:
        raise WsedError(f"{place} lacks name: the folder of the corpus")
    clips, seed = fields.get("clips", {}), fields.get("seed", 0)
    if not isinstance(clips, Mapping) or not all(is_whole(n) and n >= 0 for n in clips.values()):
        raise WsedError(f"{place}.clips is {clips!r}; write the number of clips of each split")
    if not is_whole(seed) or seed < 0:
        raise WsedError(f"{place}.seed is {seed!r}; write a whole number, 0 or more")
    return MadeCorpus(
        str(fields["name"]),
        str(fields.get("recipe", "domestic")),
        seed,
        {str(split): n for split, n in clips.items()},
        None if fields.get("module") is None else str(fields["module"]),
        _names(f"{place}.arguments", fields.get("arguments", [])),
    )


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value of a YAML file is a whole number.

    >>> is_whole(2), is_whole(True), is_whole("2")
    (True, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool)


def _fields(place: str, entry: object, known: tuple[str, ...]) -> Mapping[str, object]:
    if not isinstance(entry, Mapping):
        raise WsedError(f"{place} is {entry!r}; known: {', '.join(known)}")
    for name in entry:
        if name not in known:
            raise WsedError(f"{place} has {name!r}{near(str(name), known)}; known: {', '.join(known)}")
    return entry


def _names(place: str, entry: object) -> tuple[str, ...]:
    if isinstance(entry, str):
        return (entry,)
    if not isinstance(entry, list):
        raise WsedError(f"{place} is {entry!r}; write a list")
    return tuple(map(str, entry))
