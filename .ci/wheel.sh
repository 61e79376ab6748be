#!/usr/bin/env bash
# Does the wheel work without the repository? Called by `make wheel` with a wheel and a Python; works in an empty folder.
set -euo pipefail
wheel=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${2:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet "wsed[study] @ file://$wheel"
export PATH="$folder/env/bin:$PATH" OMP_NUM_THREADS=1
mkdir "$folder/work"
cd "$folder/work"

wsed --version
wsed list loss > /dev/null
wsed data synth --soundbank builtin --out data/quickstart --clips train=24 validation=8 eval=8
wsed fit --config experiments/quickstart.yaml --trainer.max_epochs 1 --data.workers 0
wsed detect runs/quickstart/seed_0 data/quickstart/audio/eval/public --out detections
wsed report runs/quickstart/seed_0 --resamples 20
cp data/quickstart/metadata/train/weak.tsv data/quickstart/audio/train/weak/tags.tsv
wsed new data/quickstart/audio/train/weak --out own.yaml
wsed fit --config own.yaml --trainer.max_epochs 1 --data.workers 0
wsed reproduce fpd --scale smoke --rows euc_sum --seeds 1 --jobs 1  # a class of experiments/fpd/readings.py
echo "the wheel works: $wheel"
