"""Recipes for soundscapes: how many events a clip has, of which classes, and at which levels."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import TypeVar

from wsed.data.synth.settings import SPLITS, check_name, check_names, checked
from wsed.errors import WsedError, near

T = TypeVar("T")
_GLOBAL = frozenset({"clips", "clip", "sample_rate", "splits"})
"""Settings that cannot differ between splits."""


@dataclass(frozen=True)
class Recipe:
    """How soundscapes are drawn; the arguments are the settings of a YAML recipe.

    Class names may be patterns (`"*toothbrush"`); their case is ignored.

    Args:
        clips: number of clips per split.
        clip: length of a clip, seconds.
        sample_rate: Hz.
        events: number of events per clip -> weight. A clip has fewer events if not all of them fit.
        polyphony: maximum number of simultaneous events.
        snr: lowest and highest signal-to-noise ratio of a sound, dB: mean power of the sound while it is active
            relative to the mean power of the background of the clip.
        classes: class -> weight with which it is drawn as the leading class of a clip; 1 by default, 0 excludes it.
        balanced: take the classes in turn as leading class instead of drawing one; `classes` then only excludes.
        together: leading class -> {companion: probability that the companion is in the clip too}.
        extend: class -> probability that a sound of the class is looped to last longer.
        extend_to: range of the duration of an extended sound, seconds; cut at the length of the clip.
        shortest: shorter active stretches of a recording are not used, seconds.
        longest: maximum duration of an event, seconds; None for no maximum. A random part of a longer event is kept, at
            the same time in the clip. Everything else is the same for the same seed, with or without a maximum.
        fade: length of the raised-cosine fade at both ends of a sound, seconds.
        crossfade: length of the crossfade at the seams of a looped sound or background, seconds.
        background_level: level of the background, dBFS RMS.
        background_floor: level of added white noise relative to the background, dB. It masks the noise of the sources.
        max_gain: maximum gain of a recording, dB. The gain also raises the noise of the recording, so it is limited;
            the SNR is then lower than drawn.
        gain: lowest and highest gain of the finished clip, dB.
        splits: split -> settings that replace those above, from `events` on.

    Raises:
        WsedError: a value is out of range; the message names the setting.

    >>> recipe = Recipe(clips={"train": 100}, snr=(0.0, 25.0), splits={"train": {"polyphony": 1}})
    >>> recipe.snr, recipe.of("train").polyphony
    ((0.0, 25.0), 1)
    """

    clips: Mapping[str, int]
    clip: float = 10.0
    sample_rate: int = 16000
    events: Mapping[int, float] = field(default_factory=lambda: {1: 1.0})
    polyphony: int = 2
    snr: tuple[float, float] = (6.0, 30.0)
    classes: Mapping[str, float] = field(default_factory=dict)
    balanced: bool = False
    together: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    extend: Mapping[str, float] = field(default_factory=dict)
    extend_to: tuple[float, float] = (4.0, 10.0)
    shortest: float = 0.1
    longest: float | None = None
    fade: float = 0.01
    crossfade: float = 0.2
    background_level: float = -30.0
    background_floor: float = -15.0
    max_gain: float = 15.0
    gain: tuple[float, float] = (-6.0, 0.0)
    splits: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in checked(vars(self)).items():
            object.__setattr__(self, name, value)
        for split, settings in self.splits.items():
            check_name(split, SPLITS, "splits", "split")
            check_names(settings, [f.name for f in fields(self) if f.name not in _GLOBAL], f"splits.{split}")
            self.of(split)

    def of(self, split: str) -> "Recipe":
        """The recipe of one split."""
        build: Callable[..., Recipe] = Recipe  # the types are checked at runtime
        return build(**vars(self) | {"splits": {}} | checked(self.splits.get(split, {})))

    def resolve(self, labels: Iterable[str]) -> "Recipe":
        """Replace every class pattern by the classes that it matches.

        Raises:
            WsedError: a pattern matches none of `labels`, or every class has weight 0.

        >>> Recipe(clips={"train": 1}, classes={"*bell*": 2.0}).resolve(["Dog", "Alarm_bell"]).classes
        {'Alarm_bell': 2.0, 'Dog': 1.0}
        """
        names = sorted(labels)
        weights = dict.fromkeys(names, 1.0) | _expand(self.classes, names, "classes")
        together = {
            lead: {k: p for k, p in _expand(companions, names, f"together.{lead}").items() if k != lead}
            for lead, companions in _expand(self.together, names, "together").items()
        }
        if not any(weights.values()):
            raise WsedError("classes: every class has weight 0; give at least one a weight above 0")
        return replace(self, classes=weights, together=together, extend=_expand(self.extend, names, "extend"))


def used_classes(recipe: Recipe) -> set[str]:
    """The classes that a clip of a resolved recipe can contain.

    >>> sorted(used_classes(Recipe(clips={"train": 1}, classes={"Dog": 0.0}).resolve(["Cat", "Dog"])))
    ['Cat']
    """
    leads = {name for name, weight in recipe.classes.items() if weight > 0}
    return leads | {k for lead in leads for k, p in recipe.together.get(lead, {}).items() if p > 0}


def _expand(settings: Mapping[str, T], labels: list[str], where: str) -> dict[str, T]:
    """Settings by class from settings by class pattern."""
    expanded: dict[str, T] = {}
    # Exact names come last, so that they take precedence over patterns.
    for pattern in sorted(settings, key=lambda p: p in labels):
        matches = [k for k in labels if fnmatchcase(k.lower(), pattern.lower())]
        if not matches:
            raise WsedError(
                f"{where}: the soundbank has no class {pattern!r}{near(pattern, labels)}, only {', '.join(labels)}; "
                "remove the name, or use the recipe 'plain', which names no class"
            )
        expanded |= dict.fromkeys(matches, settings[pattern])
    return expanded
