"""The classifier of Turpault et al. 2020: sizes of the authors' code."""

from wsed.models.encoders.waa import WAA
from wsed.models.heads.embedding import Embedding
from wsed.models.heads.mlp import MLP


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_sizes_are_those_of_the_authors_code(golden):
    sizes = golden("param_counts")["waa"]
    encoder = WAA(64)
    assert count(encoder) == sizes["embedding"]
    assert encoder.dim == sizes["embedding_dim"]
    assert count(MLP(encoder.dim, 10)) == sizes["classifier"]
    assert count(Embedding(encoder.dim, 10)) == 0
