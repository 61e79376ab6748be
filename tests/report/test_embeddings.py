"""What a run says of its embeddings."""

import json
from dataclasses import replace

import matplotlib.image
import pytest
import torch
import yaml

from tests.conftest import make_corpus
from wsed.cli.main import main
from wsed.errors import WsedError
from wsed.metrics.embedding import centre_accuracy, class_centres, scatter_ratio, silhouette
from wsed.metrics.embedding_metric import Embedding
from wsed.metrics.system import System
from wsed.models.embeddings import Embeddings
from wsed.report.embeddings import pca, tsne, write_embeddings
from wsed.split_folder import SplitFolder
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Scores

THREE = Labels(["a", "b", "c"])


def stored(points, tags):
    ids = tuple(f"clip {i:03}" for i in range(len(points)))
    known, none = torch.ones_like(tags, dtype=torch.bool), torch.zeros_like(tags, dtype=torch.bool)
    scores = Scores(ids, torch.ones(len(ids), dtype=torch.float64), embeddings=points)
    return scores, Truth(tags > 0.5, known, Events.of([]), none)


def numbers(scores, truth, centres=None):
    return Embedding(centres).compute(System(THREE, truth, embeddings=scores.embeddings)).numbers


@pytest.fixture
def clouds():
    torch.manual_seed(0)
    tags = torch.eye(3)[torch.arange(60) % 3]
    return torch.randn(60, 5) + 3 * tags @ torch.randn(3, 5), tags


def test_figures_are_those_of_the_metrics(clouds):
    points, tags = clouds
    centres = class_centres(points[:30], tags[:30])
    found = numbers(*stored(points, tags), centres)
    assert found["centre_accuracy"] == pytest.approx(centre_accuracy(points, tags, centres))
    assert found["scatter_ratio"] == pytest.approx(scatter_ratio(points, tags))
    assert found["silhouette"] == pytest.approx(silhouette(points, tags))
    assert "centre_accuracy" not in numbers(*stored(points, tags))


def test_clips_of_two_classes_count_for_centres_only(clouds):
    points, tags = clouds
    both = torch.cat([tags, torch.tensor([[1.0, 1, 0]])])
    centres = class_centres(points, tags)
    found = numbers(*stored(torch.cat([points, points[:1]]), both), centres)
    assert found["silhouette"] == pytest.approx(silhouette(points, tags))
    assert found["centre_accuracy"] == pytest.approx(centre_accuracy(torch.cat([points, points[:1]]), both, centres))


def test_a_class_that_is_unknown_in_a_clip_is_not_its_nearest_one(clouds):
    points, tags = clouds
    points = points + 4 * torch.randn(points.shape)  # so near that some are taken for others
    scores, truth = stored(points, tags)
    centres = class_centres(points, tags)
    hidden = truth.tagged.clone()
    nearest = torch.cdist(points, centres.float()).argmin(1)
    wrong = nearest != tags.argmax(1)
    assert wrong.any()
    hidden[wrong, nearest[wrong]] = False
    partial = replace(truth, tagged=hidden)
    assert numbers(scores, partial, centres)["centre_accuracy"] > numbers(scores, truth, centres)["centre_accuracy"]


def test_the_picture_is_written(clouds, tmp_path):
    scores, truth = stored(*clouds)
    write_embeddings(SplitFolder(tmp_path), scores, truth, THREE, numbers(scores, truth))
    assert matplotlib.image.imread(tmp_path / "embeddings.png").shape[0] > 300
    assert (tmp_path / "embeddings.npz").is_file()


def test_pca_keeps_distances_of_flat_points():
    torch.manual_seed(0)
    flat = torch.randn(20, 2, dtype=torch.float64)
    turned = flat @ torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0][:2]
    distances = torch.cdist(torch.from_numpy(pca(turned)), torch.from_numpy(pca(turned)))
    torch.testing.assert_close(distances, torch.cdist(flat, flat))
    assert pca(torch.randn(4, 1)).shape == (4, 2)
    assert tsne(torch.ones(30, 4)) is None


ROW = {
    "model": {
        "network": {
            "frontend": {"class_path": "standardised", "init_args": {"frontend": {
                "class_path": "logmel",
                "init_args": {"sample_rate": 8000, "n_fft": 256, "hop_length": 80, "f_max": 4000.0},
            }}},
            "encoder": "waa",
            "head": "embedding",
        },
        "losses": {"triplets": {"loss": "triplet"}},
    },
    "data": {
        "corpus": {"class_path": "single_event", "init_args": {}},
        "windows": {"length": 0.5, "placement": "onset"},
        "episodes": {"per_class": None},
        "workers": 0,
    },
    "trainer": {"max_epochs": 4, "check_val_every_n_epoch": 2, "accelerator": "cpu"},
}  # fmt: skip


@pytest.mark.slow
def test_embedding_then_classifier(tmp_path):
    """Two runs chained by a path: the best embedding by its centres, then a classifier that leaves it alone."""
    root = make_corpus(tmp_path / "corpus", clips=16)
    ROW["data"]["corpus"]["init_args"]["root"] = str(root)
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(ROW))
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["fit", "--config", str(tmp_path / "one.yaml"), "--trainer.default_root_dir", str(first)]) == 0
    scores = json.loads((first / "test/scores.json").read_text())
    assert set(scores["embedding"]) == {"centre_accuracy", "scatter_ratio", "silhouette"}
    assert (first / "test/embeddings.png").is_file()
    text = (first / "csv/version_0/metrics.csv").read_text()
    assert "val/centre_accuracy" in text.splitlines()[0]

    inner = ROW["model"]["network"]["frontend"]
    frontend = {
        "class_path": "embeddings",
        "init_args": {"frontend": inner, "pretrained": str(first / "checkpoints/best.ckpt")},
    }
    network = {"frontend": frontend, "encoder": "identity", "head": "mlp"}
    reader = {"class_path": "features", "init_args": {"folder": str(tmp_path / "features")}}
    data = {**ROW["data"], "reader": reader}
    two = {"model": {"network": network, "losses": {"tags": {"loss": "clip_bce"}}}, "data": data}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump({**two, "trainer": {"max_epochs": 2, "accelerator": "cpu"}}))
    assert main(["fit", "--config", str(tmp_path / "two.yaml"), "--trainer.default_root_dir", str(second)]) == 0
    one, other = (torch.load(run / "checkpoints/best.ckpt", weights_only=True)["state_dict"] for run in (first, second))
    kept = {name.replace("network.", "network.frontend.", 1): value for name, value in one.items()}
    assert set(kept) == {name for name in other if name.startswith("network.frontend.")}
    assert all(torch.equal(other[name], value) for name, value in kept.items())
    assert json.loads((second / "test/scores.json").read_text())["tagging_f1"]["macro"] >= 0
    args = ["test", "--config", str(second / "config.yaml"), "--ckpt_path", "best", "--data.windows.test_length", "1.0"]
    assert main(args) == 0


def test_frozen_embeddings_stay_in_eval_mode_and_mistakes_are_named(tmp_path):
    frontend = Embeddings()
    assert not frontend.train().encoder.training
    assert not any(p.requires_grad for p in frontend.parameters())
    torch.save({"state_dict": {"network.encoder.weight": torch.zeros(1)}}, tmp_path / "other.ckpt")
    with pytest.raises(WsedError, match="has another frontend than the one given"):
        Embeddings(pretrained=str(tmp_path / "other.ckpt"))
