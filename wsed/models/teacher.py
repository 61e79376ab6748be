"""A student and a teacher in one network; the teacher's scores are there for losses to learn from."""

from dataclasses import replace

import torch

from wsed.errors import WsedError
from wsed.models.base import NETWORKS, Network, NetworkFactory
from wsed.models.pretrained import load_weights
from wsed.types import Batch, Labels, Output


@NETWORKS.register("mean_teacher")
class MeanTeacher(Network):
    """A network, and its teacher: the running mean of its weights, or a network trained before.

    In training `output.teacher` is what the teacher says of the same batch, without a gradient and without dropout. In
    validation, test and prediction the student answers alone. The mean is exponential, `decay` of the old and the rest
    of the new weights a step, with a smaller `decay` in the first steps (`1 - 1 / step`), as in mean teacher
    (Tarvainen & Valpola 2017); other buffers, such as batch norm's statistics, are the student's own.

    Args:
        labels: the classes.
        student: the network that is trained.
        decay: of the running mean.
        pretrained: checkpoint of a run of the student's network; the teacher is that network and stays as it is.

    Raises:
        WsedError: `decay` is not from 0 to 1, or the checkpoint is of another network.
    """

    steps: torch.Tensor

    def __init__(
        self, labels: Labels, student: NetworkFactory, decay: float = 0.999, pretrained: str | None = None
    ) -> None:
        super().__init__()
        if not 0 <= decay <= 1:
            raise WsedError(f"mean_teacher: decay must be from 0 to 1, not {decay:g}")
        self.labels = labels
        self.student, self.teacher = student(labels), student(labels)
        self.teacher.requires_grad_(requires_grad=False).eval()
        self.teacher.load_state_dict(self.student.state_dict())
        if pretrained is not None:
            load_weights(self.teacher, pretrained)
        self.decay, self.fixed = decay, pretrained is not None
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.sample_rate, self.frame_rate = self.student.sample_rate, self.student.frame_rate
        self.provides = self.student.provides | {"teacher"}

    def train(self, mode: bool = True) -> "MeanTeacher":
        """The teacher stays in eval mode."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, batch: Batch) -> Output:
        output: Output = self.student(batch)
        if not self.training:
            return output
        if not self.fixed:
            self.follow()
        with torch.no_grad():
            return replace(output, teacher=self.teacher(batch))

    @torch.no_grad()
    def follow(self) -> None:
        """Move the teacher towards the student, by one step."""
        self.steps += 1
        share = max(1 / int(self.steps), 1 - self.decay)
        for kept, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            kept.lerp_(new, share)
        for held, now in zip(self.teacher.buffers(), self.student.buffers(), strict=True):
            held.copy_(now)

    @property
    def frontend(self) -> object:
        """The student's, for pictures."""
        return self.student.frontend
