"""`wsed export`: a trained model for other programs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wsed.cli.arguments import parsed
from wsed.errors import WsedError

HELP = "a model as ONNX (waveform to scores), or as a folder for a model hub"
GROUP = "detect"
DESCRIPTION = """\
Write a trained model for other programs: MODEL is a run's folder or a checkpoint.

  --to onnx [FILE]    from waveform to frame and clip scores with the spectrogram inside, for clips of any number and
                      length; labels, rates and decoder are metadata. It is compared with torch, and not written if a
                      score differs by more than 1e-4. `wsed detect FILE PATH...` runs it. Default: beside the
                      checkpoint.
  --to hub FOLDER     weights (safetensors), settings, metrics and a model card. `wsed.load(FOLDER)` reads it, and
                      `wsed.load("user/name")` once it is on the Hugging Face hub."""

EXAMPLES = """\
examples:
  wsed export runs/mine/seed_0 --to onnx model.onnx
  wsed export runs/mine/seed_0 --to hub my-detector"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed export` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("model", metavar="MODEL", help="a run's folder or a checkpoint")
    parser.add_argument(
        "--to", nargs="+", required=True, metavar=("KIND", "OUT"), help="onnx or hub, and where it is written"
    )


def main(arguments: Sequence[str]) -> int:
    """Export and return the exit status."""
    args = parsed("export", add_arguments, arguments)
    kind, *out = args.to
    if kind not in ("onnx", "hub") or len(out) > 1:
        raise WsedError(f"--to takes onnx or hub, and one place to write to, not {' '.join(args.to)}")
    if kind == "hub" and not out:
        raise WsedError("--to hub needs the folder that is written: --to hub FOLDER")
    from wsed.inference.loading import load, model_file

    checkpoint = model_file(args.model)
    if kind == "onnx":
        from wsed.inference.export.onnx import export_onnx

        path = export_onnx(load(checkpoint), Path(out[0]) if out else checkpoint.with_suffix(".onnx"))
    else:
        from wsed.inference.export.hub import write_hub

        path = write_hub(load(checkpoint), Path(out[0]), *_of_run(checkpoint))
    print(f"written: {path}", file=sys.stderr)
    return 0


def _of_run(checkpoint: Path) -> tuple[dict[str, object] | None, str]:
    """The test scores of the run of a checkpoint, and what it was trained on."""
    from wsed.run import RunFolder
    from wsed.text import read_json_object, read_yaml

    run = RunFolder(checkpoint.parent.parent)
    report = run.split("test").report
    scores = read_json_object(report, "run `wsed test` again") if report.is_file() else None
    config = read_yaml(run.config) if run.config.is_file() else None
    data = config.get("data") if isinstance(config, dict) else None
    corpus = data.get("corpus") if isinstance(data, dict) else None
    if not isinstance(corpus, dict):
        return scores, ""
    arguments = corpus.get("init_args")
    root = arguments.get("root") if isinstance(arguments, dict) else None
    kind = str(corpus.get("class_path", "")).rpartition(".")[2]
    return scores, f"Corpus `{kind}` from the folder `{Path(str(root)).name}`." if root else f"Corpus `{kind}`."
