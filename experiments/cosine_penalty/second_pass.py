"""The training clips of the second pass of the official baseline of DCASE 2018: unlabelled clips with predicted tags.

    RUN=runs/baseline_first/seed_0
    wsed predict --config $RUN/config.yaml --ckpt_path last --data.corpus.predict train/unlabel_in_domain
    python -m experiments.cosine_penalty.second_pass $RUN --root DCASE2018_FOLDER

Writes `metadata/train/pseudo.tsv` below the corpus, which `rows/baseline.yaml` trains on. Clips without a tag are left
out.
"""

import argparse
from pathlib import Path

from wsed.data.corpus.desed_layout import base
from wsed.files import write_text
from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import read_scores


def pseudo_table(run: RunFolder, threshold: float = 0.5) -> list[tuple[str, str]]:
    """Each predicted clip that has a tag, and its tags."""
    labels, scores = read_scores(run.split("predict").path)
    if scores.clip_scores is None:
        raise SystemExit(f"{run.path} has no clip scores of predicted clips: run wsed predict first")
    rows = []
    for name, above in zip(scores.clip_ids, (scores.clip_scores > threshold).tolist(), strict=True):
        if any(above):
            rows.append((name, ",".join(label for label, is_above in zip(labels, above, strict=True) if is_above)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the run of the first pass")
    parser.add_argument("--root", type=Path, required=True, help="the corpus")
    args = parser.parse_args()
    rows = pseudo_table(RunFolder.open(args.run))
    table = base(args.root) / "metadata" / "train" / "pseudo.tsv"
    write_text(table, "\n".join("\t".join(row) for row in [("filename", "event_labels"), *rows]) + "\n")
    print(f"{len(rows)} clips with tags: {table}")


if __name__ == "__main__":
    main()
