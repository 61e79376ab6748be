"""The cases of the campaign: each loss, each augmentation, each row of the experiments, and other settings."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

import wsed
from tests.cli.test_experiments import CORPUS, RECIPES, arguments, config_of
from tests.cli.test_resume import SMALL
from tests.distributed.campaign import ACCELERATOR, CLIPS, MOVE, RANKS, START, Found, begun, far, trained
from tests.distributed.ranks import returned, run, send
from wsed.registry import registry

SECONDS = 900
"""The most that a training may take."""

BEFORE = "before"
"""Folder of the training in one process."""


@dataclass(frozen=True)
class Case:
    """A training.

    Attributes:
        name: its name.
        kind: loss, augmentation, row or other.
        args: settings as on the command line, from the folder of the corpus and one for files.
        corpus: name of the corpus.
        batch: settings of a batch with a given number of clips of each source.
        clips: number of clips of each source, in a step of all processes.
        ranks: numbers of processes that are compared with one.
        must: the losses that must not be zero.
        move: about how far parameters move in the training that is compared.
    """

    name: str
    kind: str
    args: Callable[[Path, Path], list[str]]
    corpus: str = "desed"
    batch: Callable[[int], list[str]] = lambda n: ["--data.batch", f"{{weak: {n}, synthetic: {n}}}"]
    clips: int = CLIPS
    ranks: tuple[int, ...] = RANKS
    must: tuple[str, ...] = ()
    move: float = MOVE


def begin(case: Case, root: Path, folder: Path) -> float:
    """Train the network with which the processes of `compared` begin, and return their rate."""
    folder.mkdir(exist_ok=True)
    parts = settings(case, case.args(root, folder), folder / BEFORE, 1)
    return float(run(partial(begun, *parts), 1, SECONDS)[0]) * case.move / MOVE


def settings(case: Case, args: list[str], out: Path, ranks: int) -> tuple[list[str], int, Path]:
    """The arguments, the clips of a process, and the folder of a training, which has features of its own."""
    own = [part.replace(str(out.parent / "features"), str(out.parent / f"features_{out.name}")) for part in args]
    return [*own, *case.batch(case.clips // ranks)], case.clips // ranks, out


def compared(
    case: Case, root: Path, folder: Path, rate: float, double: bool = False, fault: bool = False
) -> dict[int, Found]:
    """Train with one process and with several, in float32 or in float64, from what `begin` has trained."""
    more = {"start": folder / BEFORE / START, "rate": rate, "double": double, "fault": fault}
    args, results = case.args(root, folder), {}
    for together in ((1, case.ranks[0]), *((ranks,) for ranks in case.ranks[1:])):
        for ranks in together:
            out = folder / f"{'double' if double else 'single'}_of_{ranks}"
            send(partial(trained, *settings(case, args, out, ranks), **more), ranks)
        try:
            results[together[0]] = returned(together[0], SECONDS)[0]
        finally:  # else the next case would get it
            results |= {ranks: returned(ranks, SECONDS)[0] for ranks in together[1:]}
    one = results.pop(1)
    assert all(one[f"metric train/loss_{name}"] != 0 for name in case.must), f"{case.name}: a loss is 0"
    starts = {name for name in one if name.startswith("start ")}
    moved = max(far(one[name.removeprefix("start ")], one[name]) for name in starts)
    return {ranks: Found(*differences(one, several), moved) for ranks, several in results.items()}


def differences(one: Mapping[str, Any], several: Mapping[str, Any]) -> tuple[float, float, str]:
    """The largest differences of parameters and of metrics, and of which metric."""
    assert one.keys() == several.keys(), one.keys() ^ several.keys()
    metrics = {name for name in one if name.startswith("metric ")}
    parameters = max(far(one[name], several[name]) for name in set(one) - metrics)
    return parameters, *max((far(one[name], several[name]), name.removeprefix("metric ")) for name in metrics)


def small(
    model: Mapping[str, object] | None = None, data: Mapping[str, object] | None = None, more: Sequence[str] = ()
) -> Callable[[Path, Path], list[str]]:
    """The settings of a small experiment."""

    def args(root: Path, folder: Path) -> list[str]:
        tags = {"loss": {"class_path": "mil", "init_args": {"pooling": "linear_softmax"}}}
        losses = {**SMALL["model"]["losses"], "tags": tags}  # the greatest of two frames may change by rounding
        config = {**SMALL, "model": SMALL["model"] | {"losses": losses} | (model or {}), "trainer": {}}
        corpus = {"class_path": "desed", "init_args": {"root": str(root)}}
        config["data"] = {"corpus": corpus, "workers": 0, **(data or {})}
        path = folder / "small.yaml"
        path.write_text(yaml.safe_dump(config).replace("ROOT", str(root)))
        return ["--config", str(path), *more]

    return args


FOLDERS = {"background": "folder", "impulse_response": "folder"}
"""Augmentations that read sounds."""


def augmentations() -> Iterator[Case]:
    """Each with all clips changed."""
    for name in wsed.components("augment"):
        settings = {"folder": "ROOT/audio/train/weak"} if name in FOLDERS else {}
        settings |= {"parts": ["gain", "reverse_polarity"]} if name == "compose" else {}
        settings |= {"p": 1.0} if name in ("mixup", "mixstyle", *FOLDERS) else {}
        part = {"class_path": name, "init_args": settings}
        yield Case(name, "augmentation", small(data={"augment": [part]}))


MOVES = {
    **{f"waa/end_to_end{more}": 1e-2 for more in ("", "_gated", "_max", "_0_2", "_10", "_test_10")},
    "what_wins/yamnet_frozen": 1e-2,
    **dict.fromkeys(("fpd/euc_cross", "compare/cos_prototypes", "compare/macro", "mmnet/slat"), 3e-4),
    **{f"desed/{row}": 1e-4 for row in ("baseline", "baseline_teacher", "no_teacher", "beats", "two_stages_1")},
}
"""Rows that are moved by more or less than `MOVE`: their gradient becomes small, or jumps as a value of a ReLU changes
its sign."""


def rows() -> Iterator[Case]:
    """Each row of each experiment, with its own network and losses."""
    for paper, recipe in RECIPES.items():
        for row in recipe.rows:
            config = config_of(paper, row)
            args = partial(narrow, paper, row)
            corpus = CORPUS.get(paper, "desed" if "batch" in config["data"] else "single")
            name = f"{paper}/{row}"
            yield Case(name, "row", args, corpus, batch_of(config), move=MOVES.get(name, MOVE))


def narrow(paper: str, row: str, root: Path, folder: Path) -> list[str]:
    """The settings of a row, with a narrow CNN."""
    network, path = config_of(paper, row)["model"]["network"]["init_args"], "--model.network.init_args"
    if "student" in network:
        network, path = network["student"]["init_args"], f"{path}.student.init_args"
    channels = []
    if network.get("encoder", {}).get("class_path", "").endswith(".CNN"):
        channels = [f"{path}.encoder.init_args.channels", "16"]
    return [*arguments(paper, row, None, root, folder), *channels]


def batch_of(config: Mapping[str, Any]) -> Callable[[int], list[str]]:
    if "batch" in config["data"]:
        return lambda n: ["--data.batch", str(dict.fromkeys(config["data"]["batch"], n))]
    return lambda n: ["--data.episodes", f"{{classes: 2, per_class: {n}}}"]


SMALL_LOSSES = {"fpd": {"wps_start_epoch": 0}}


def losses() -> Iterator[Case]:
    """Those that no row trains with."""
    shown = {
        term["loss"]["class_path"] for paper, recipe in RECIPES.items() for row in recipe.rows
        for term in config_of(paper, row)["model"]["losses"].values()
    }  # fmt: skip
    registered = registry("loss")
    for name in wsed.components("loss"):
        if f"{registered[name].__module__}.{registered[name].__name__}" in shown:
            continue
        loss = {"class_path": name, "init_args": SMALL_LOSSES.get(name, {})}
        network = dict(SMALL["model"]["network"]) | {"head": ["framewise", "projection", "clip_attention"]}
        terms = {"tags": {"loss": "mil"}, "it": {"loss": loss}}
        yield Case(name, "loss", small(model={"losses": terms, "network": network}), must=("it",))


def others() -> Iterator[Case]:
    """Other numbers of processes and other batches."""
    yield Case("small experiment", "other", small())
    yield Case("accumulated over 2 batches", "other", small(more=["--trainer.accumulate_grad_batches", "2"]))
    yield Case("clipped gradients", "other", small(more=["--trainer.gradient_clip_val", "0.1"]))
    limits = ["--trainer.limit_val_batches", "1", "--trainer.limit_test_batches", "1"]
    yield Case("one batch of validation and test", "other", small(more=limits))
    yield Case("fewer clips than three processes", "other", with_few_clips, clips=6, ranks=(3,))
    if ACCELERATOR == "gpu":  # torch synchronises on GPUs only
        yield Case("batch normalisation synchronised", "other", small(more=["--trainer.sync_batchnorm", "true"]))


def with_few_clips(root: Path, folder: Path) -> list[str]:
    """A source with two clips, so that processes share them, and one clip for validation and for test."""
    few = folder / "few"
    if few.is_dir():
        return small()(few, folder)
    shutil.copytree(root / "metadata", few / "metadata")
    (few / "audio").symlink_to(root / "audio")
    for table, clips in {"train/synthetic": 2, "validation/validation": 1, "eval/public": 1}.items():
        path = few / "metadata" / f"{table}.tsv"
        head, *rows = path.read_text().splitlines()
        kept = sorted({row.partition("\t")[0] for row in rows})[:clips]
        path.write_text("\n".join([head, *(row for row in rows if row.partition("\t")[0] in kept)]) + "\n")
    return small()(few, folder)


def cases() -> list[Case]:
    return [*losses(), *augmentations(), *others(), *rows()]


def second_tags(root: Path) -> Path:
    """Add a second tag to some training clips, so that losses of pairs of classes have something to do."""
    for table in (root / "metadata" / "train").glob("*.tsv"):
        lines = [line for line in table.read_text().splitlines() if line]
        if lines[0].endswith("event_labels"):
            lines[1::4] = [f"{line.partition(chr(9))[0]}\tlow,high" for line in lines[1::4]]
        elif lines[0].endswith("event_label"):
            lines += [f"{line.partition(chr(9))[0]}\t0.100\t0.300\thigh" for line in lines[1::4]]
        table.write_text("\n".join(lines) + "\n")
    return root
