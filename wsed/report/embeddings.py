"""A picture of the clip embeddings of a run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from wsed.files import write_whole
from wsed.report.drawing import literal, save
from wsed.split_folder import SplitFolder
from wsed.truth import Truth
from wsed.types import Labels
from wsed.values import Scores

MOST_CLIPS = 2000
"""Greatest number of clips in a picture."""


def write_embeddings(
    folder: SplitFolder, scores: Scores, truth: Truth, labels: Labels, numbers: Mapping[str, float]
) -> None:
    """Write the embeddings and a picture of them; nothing if no clip with an embedding has exactly one class.

    Args:
        folder: folder of the split.
        scores: scores with embeddings.
        truth: truth of the same clips; the picture shows the clips with exactly one class.
        labels: the classes.
        numbers: numbers of the metric `embedding`, for the title of the picture.
    """
    known = truth.tagged.any(1)
    one = (truth.tags & truth.tagged).sum(1) == 1
    if scores.embeddings is None or not bool(one.any()):
        return
    points, tags = scores.embeddings, truth.tags & truth.tagged
    with write_whole(folder.embeddings) as part:
        np.savez_compressed(
            part, embeddings=points[known].numpy(), tags=tags[known].numpy(), labels=np.array(labels.names)
        )
    points, classes = points[one], tags[one].float().argmax(1)
    chosen = torch.linspace(0, len(points) - 1, min(len(points), MOST_CLIPS)).round().long()
    title = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in numbers.items())
    draw(folder.picture("embeddings"), points[chosen], classes[chosen].numpy(), labels, title)


def draw(path: Path, points: Float[Tensor, "clip dim"], classes: np.ndarray, labels: Labels, title: str) -> None:
    """Draw the embeddings on two axes: by PCA, and by t-SNE if scikit-learn is installed (extra `metric`)."""
    maps = {"PCA": pca(points)}
    neighbours = tsne(points)
    if neighbours is not None:
        maps["t-SNE"] = neighbours
    figure = Figure(figsize=(5.2 * len(maps) + 2, 5), layout="constrained")
    axes = figure.subplots(1, len(maps), squeeze=False)[0]
    for axis, (method, places) in zip(axes, maps.items(), strict=True):
        for k in np.unique(classes):
            of_class = classes == k
            style = {"marker": "os^D"[k // 10 % 4], "color": f"C{k % 10}", "s": 12, "lw": 0, "alpha": 0.7}
            axis.scatter(
                places[of_class, 0], places[of_class, 1], label=literal(labels.names[k]).replace("_", " "), **style
            )
        axis.set(title=method, xticks=[], yticks=[])
    if len(np.unique(classes)) <= 40:
        axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10)
    save(figure, path)


def pca(points: Float[Tensor, "clip dim"]) -> np.ndarray:
    """The coordinates of points in the two directions of the greatest variance: `[clip 2]`.

    >>> abs(pca(torch.tensor([[0.0, 0.0], [2.0, 0.0]]))).round(6).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    centred = points.double() - points.double().mean(0)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    coordinates = torch.zeros(len(points), 2, dtype=torch.float64)
    coordinates[:, : min(2, len(s))] = (u * s)[:, :2]
    return coordinates.numpy()


def tsne(points: Float[Tensor, "clip dim"]) -> np.ndarray | None:
    """The coordinates of points by t-SNE (van der Maaten & Hinton 2008): `[clip 2]`.

    None without scikit-learn, for fewer than 10 points, or if all points are equal.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        return None
    if len(points) < 10 or float(points.std(0).max()) < 1e-6:
        return None
    # It starts from the PCA, so that pictures of the same embeddings look alike.
    start = pca(points)
    model = TSNE(perplexity=min(30.0, (len(points) - 1) / 3), init=1e-4 * start / start[:, 0].std(), random_state=0)
    places: np.ndarray = model.fit_transform(points.double().numpy())
    return places
