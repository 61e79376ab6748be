"""A picture of the clip embeddings of a run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from wsed.types import Labels
from wsed.values import Scores, Truth

MOST_CLIPS = 2000
"""Points of a picture."""


def write_embeddings(folder: Path, scores: Scores, truth: Truth, labels: Labels, numbers: Mapping[str, float]) -> None:
    """`embeddings.npz` and `embeddings.png`; nothing where there are no embeddings of two classes.

    Args:
        folder: of the evaluation.
        scores: with embeddings.
        truth: about the same clips; the picture shows those with exactly one class.
        labels: the classes.
        numbers: of the metric `embedding`; they stand above the picture.
    """
    known = truth.tagged.any(1)
    one = (truth.tags & truth.tagged).sum(1) == 1
    if scores.embeddings is None or not bool(one.any()):
        return
    points, tags = scores.embeddings, truth.tags & truth.tagged
    np.savez_compressed(
        folder / "embeddings.npz",
        embeddings=points[known].numpy(),
        tags=tags[known].numpy(),
        labels=np.array(labels.names),
    )
    points, classes = points[one], tags[one].float().argmax(1)
    chosen = torch.linspace(0, len(points) - 1, min(len(points), MOST_CLIPS)).round().long()
    title = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in numbers.items())
    draw(folder / "embeddings.png", points[chosen], classes[chosen].numpy(), labels, title)


def draw(path: Path, points: Float[Tensor, "clip dim"], classes: np.ndarray, labels: Labels, title: str) -> None:
    """Two axes of the largest variance (PCA); beside them t-SNE where scikit-learn is installed (extra `metric`)."""
    maps = {"PCA": pca(points)}
    neighbours = tsne(points)
    if neighbours is not None:
        maps["t-SNE"] = neighbours
    figure = Figure(figsize=(5.2 * len(maps) + 2, 5), layout="constrained")
    axes = figure.subplots(1, len(maps), squeeze=False)[0]
    for axis, (name, places) in zip(axes, maps.items(), strict=True):
        for k in np.unique(classes):
            mine = classes == k
            style = {"marker": "os^D"[k // 10 % 4], "color": f"C{k % 10}", "s": 12, "lw": 0, "alpha": 0.7}
            axis.scatter(places[mine, 0], places[mine, 1], label=labels.names[k].replace("_", " "), **style)
        axis.set(title=name, xticks=[], yticks=[])
    if len(np.unique(classes)) <= 40:
        axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110)


def pca(points: Float[Tensor, "clip dim"]) -> np.ndarray:
    """`[clip 2]`: the two directions of the largest variance."""
    centred = points.double() - points.double().mean(0)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    found = torch.zeros(len(points), 2, dtype=torch.float64)
    found[:, : min(2, len(s))] = (u * s)[:, :2]
    return found.numpy()


def tsne(points: Float[Tensor, "clip dim"]) -> np.ndarray | None:
    """`[clip 2]` (van der Maaten & Hinton 2008); None without scikit-learn, for fewer than 10 clips or equal ones."""
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        return None
    if len(points) < 10 or float(points.std(0).max()) < 1e-6:
        return None
    # Starts at the PCA, so that two runs of the same embeddings look alike.
    start = pca(points)
    model = TSNE(perplexity=min(30.0, (len(points) - 1) / 3), init=1e-4 * start / start[:, 0].std(), random_state=0)
    places: np.ndarray = model.fit_transform(points.double().numpy())
    return places
