"""`wsed search`: search good settings of a training."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from wsed.cli.arguments import parsed
from wsed.cli.early import check_files
from wsed.cli.types import whole
from wsed.errors import WsedError

HELP = "search good settings with many trainings; bad ones are stopped early"
GROUP = "train"
DESCRIPTION = """\
Train with many settings and report those with the best validation metric. Test clips are never used.

Settings are drawn by a tree-structured Parzen estimator. After 1, 4, 16 times --first-rung epochs, only the best
quarter of the trainings that have reached this epoch goes on (asynchronous successive halving, Li et al. 2018). No
training waits for another.

The study is a journal, a file that is safe on network file systems. Run the command again to continue it: a training
that was killed goes on from its last checkpoint. Run it in several terminals, or on several machines with a shared
folder, to share the trials. The folder holds the locks and checkpoints of the trials, so the machines must share it
also with --storage. A trial on several devices is one training: all its processes have the settings of the first."""

EXAMPLES = """\
examples:
  wsed search --config exp.yaml --space space.yaml --trials 40
  wsed search --config exp.yaml --space space.yaml --trials 40 --monitor val/tagging_f1
  wsed search --config exp.yaml --space space.yaml --trials 40 --data.corpus.root data/waa --trainer.max_epochs 64

a space, by the paths of settings in the configuration (init_args may be left out):
  model.optimizer.lr: {low: 1e-4, high: 1e-2, log: true}
  model.network.encoder.dropout: {low: 0.0, high: 0.5}
  data.episodes.per_class: {low: 1, high: 4}                    whole numbers
  model.network.head.aggregation: {choices: [mean, max]}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed search` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.usage = "wsed search --config FILE --space FILE [options] [--any.setting VALUE ...]"
    parser.add_argument(
        "--config", type=Path, action="append", required=True, metavar="FILE", help="as for wsed fit; may be repeated"
    )
    parser.add_argument("--space", type=Path, required=True, metavar="FILE", help="the settings to search, see below")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the study (default: runs/search/CONFIG)")
    parser.add_argument("--storage", metavar="URL", help="database of the trials (default: the file DIR/study.journal)")
    parser.add_argument("--trials", type=whole(1), default=20, metavar="N", help="trials of the study (default: 20)")
    parser.add_argument(
        "--monitor", default="val/score", metavar="NAME", help="logged metric to optimise (default: val/score)"
    )
    parser.add_argument("--minimize", action="store_true", help="the lowest value is best, for example of val/loss")
    parser.add_argument(
        "--first-rung", type=whole(1), default=5, metavar="N", help="epochs before the first comparison (default: 5)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the draws; set it for one process only")


def main(arguments: Sequence[str]) -> int:
    """Run trials until the study has `--trials` of them, and return the exit status.

    Raises:
        WsedError: optuna is not installed, the space does not fit the configuration, `--minimize` does not fit the
            metric, the study has another space or folder, or all trials failed.
    """
    args = parsed("search", add_arguments, arguments, settings=True)
    _check_optuna()
    base_arguments = [*(f"--config={path}" for path in args.config), *args.settings]
    check_files(base_arguments)
    from wsed.cli.check_monitors import best
    from wsed.cli.configs import run_name
    from wsed.cli.ranks import is_first
    from wsed.cli.search_ranks import TRIAL, join, tell
    from wsed.cli.search_space import read_space
    from wsed.cli.search_store import open_study
    from wsed.cli.search_trials import Search, follow, read_config

    if best(args.monitor) == ("max" if args.minimize else "min"):
        what = (
            "a greater value is better; leave out --minimize"
            if args.minimize
            else "a lower value is better; add --minimize"
        )
        raise WsedError(f"--monitor {args.monitor}: {what}")
    space, name = read_space(args.space), run_name(args.config)
    out = args.out or Path("runs/search") / name
    if args.out is None and not out.exists() and (old := Path("runs/tune") / name).is_dir():
        print(f"wsed: a study of an earlier version is in {old}; continue it with --out {old}", file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    if TRIAL in os.environ and not is_first():
        follow(out, int(os.environ[TRIAL]))
        return 0
    rank, ranks = (0, 1) if TRIAL in os.environ else join()
    if rank:
        while (number := tell(None)) is not None:
            follow(out, number)
        return 0
    base = read_config(base_arguments)
    study = open_study(args, space, out)
    search = Search(study, base, space, out, args.monitor, args.trials, arguments, ranks)
    if TRIAL in os.environ:
        search.run_one(int(os.environ[TRIAL]))
    else:
        search.run()
    return 0


def _check_optuna() -> None:
    if find_spec("optuna") is None:
        raise WsedError("wsed search needs optuna: pip install 'wsed[tune]'")
