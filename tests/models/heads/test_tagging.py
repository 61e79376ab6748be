"""The tagging head, alone and beside another."""

import torch

import wsed
from wsed import testing
from wsed.models.encoders.crnn import CRNN
from wsed.models.heads.framewise import Framewise
from wsed.models.heads.tagging import Tagging, mean_and_max
from wsed.models.network import Composed

TEN = wsed.Labels([f"class_{i}" for i in range(10)])


def test_mean_and_max_are_of_the_valid_frames():
    frames = torch.tensor([[[-1.0, 4.0], [-3.0, 2.0], [9.0, 9.0]], [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]])
    valid = torch.tensor([[True, True, False], [False, False, False]])
    assert mean_and_max(frames, valid).tolist() == [[-2.0, 3.0, -1.0, 4.0], [0.0, 0.0, 0.0, 0.0]]


BOTH = [lambda labels: Composed(labels, CRNN, [Framewise, lambda d, n: Tagging(d, n, 32)])]


def test_tagging_beside_framewise_wins_on_the_clip_and_leaves_the_frames():
    torch.manual_seed(0)
    network = BOTH[0](TEN).eval()
    assert network.provides >= {"frame_logits", "clip_logits", "clip_embedding", "embeddings"}
    batch = testing.batch(2, 10, sample_rate=22050)
    output = network(batch)
    features, valid = network.frontend(batch.audio, batch.n_samples)
    frames, clips = (head(network.encoder(features, valid)) for head in network.heads)
    torch.testing.assert_close(output.frame_logits, frames.frame_logits)
    torch.testing.assert_close(output.clip_logits, clips.clip_logits)
    assert not torch.allclose(output.clip_logits, frames.clip_logits)
