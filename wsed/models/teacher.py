"""A student and a teacher in one network, for losses that read the teacher's scores."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from wsed.augment.adapt import adapt
from wsed.augment.base import Augment, Raw, augmented, flat, no_features, only_mixed
from wsed.augment.draws import Draws, run_seed
from wsed.augment.partners import as_wide
from wsed.checkpoint import load_frozen
from wsed.errors import WsedError
from wsed.learning import TrainingSet, learners
from wsed.models.base import NETWORKS, Frontend, Network, NetworkFactory
from wsed.models.init import to_read
from wsed.models.interpolation import mixes
from wsed.models.network import Composed
from wsed.ops.reduce import rank, world_size
from wsed.spec import StartingWeights
from wsed.types import Batch, Labels, Output

Statistics = Literal["copied", "averaged", "recomputed"]


@NETWORKS.register("mean_teacher")
class MeanTeacher(Network):
    """A network with a teacher: the running mean of its weights, or a network that was trained before.

    In training, `output.teacher` is the teacher's output for the same batch, without gradient and without dropout. In
    validation, test and prediction only the one that is `evaluated` runs; checkpoints hold both, and detect and export
    use that one. After each optimiser step, the teacher's weights become `decay * teacher + (1 - decay) * student`,
    with at most `1 - 1 / (step + 1)` for `decay` (Tarvainen & Valpola 2017). Parts that learn from the training set
    learn in the student and are copied.

    Args:
        labels: the classes.
        student: the network that is trained.
        decay: share of the old weights in the running mean.
        pretrained: checkpoint of a run of the student's network. The teacher then has its weights and never changes.
        views: augmentations that are drawn separately for student and teacher in training, as in ATST-SED (Shao et al.
            2024). They must not change labels. Augmentations of `data.augment` are the same for both.
        interpolate: for the loss `interpolation_consistency`: the student also scores mixes of the clips without tags,
            whose shares are drawn from the beta distribution with this parameter; 0.2 is usual. None: no mixes.
        statistics: statistics of the teacher's batch norms: `copied` from the student; `averaged` like the weights; or
            `recomputed` from the teacher's batches, by which it then also normalises in training (DCASE baselines),
            except batch norms that are not trained.
        evaluated: `student` or `teacher`.

    Raises:
        WsedError: `decay` is not in [0, 1], `interpolate` is not above 0 and at most 1, the checkpoint is of another
            network, or a view moves labels, or changes features that the student does not have (waveform, embeddings).

    >>> network = MeanTeacher(Labels(["dog", "cat"]), Composed.example)
    >>> "teacher" in network.provides
    True
    >>> network.after_step()
    >>> int(network.steps)
    1
    """

    steps: torch.Tensor

    def __init__(
        self,
        labels: Labels,
        student: NetworkFactory,
        decay: float = 0.999,
        pretrained: StartingWeights = None,
        views: Sequence[Augment] = (),
        interpolate: float | None = None,
        statistics: Statistics = "copied",
        evaluated: Literal["student", "teacher"] = "student",
    ) -> None:
        super().__init__()
        if interpolate is not None and not 0 < interpolate <= 1:
            raise WsedError(f"mean_teacher: interpolate must be above 0 and at most 1, or null, not {interpolate:g}")
        if not 0 <= decay <= 1:
            raise WsedError(f"mean_teacher: decay must be from 0 to 1, not {decay:g}")
        moved = [type(view).__name__ for view in views if view.moves_labels]
        if moved:
            raise WsedError(
                f"mean_teacher: {moved[0]} moves labels, so student and teacher would see different events; put it in "
                "data.augment"
            )
        self.labels, self.views, self.interpolate = labels, tuple(views), interpolate
        self.statistics, self.evaluated = statistics, evaluated
        self.student, self.teacher = student(labels), student(labels)
        late = [view for view in flat(views) if view.level == "features"]
        if late and isinstance(self.frontend, Frontend):
            if (reason := only_mixed(self.frontend)) is not None:
                raise no_features(late[0], reason)
            adapt(late, self.frontend)
        self.teacher.requires_grad_(requires_grad=False).eval()
        self.teacher.load_state_dict(self.student.state_dict())
        if (path := to_read(pretrained)) is not None:
            load_frozen(self.teacher, path, labels, "model.network.init_args.student")
        self.decay, self.fixed = decay, pretrained is not None
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self._seed, self._step, self._drawn = run_seed(), 0, 0  # on the CPU, so that draws need not wait for the device
        self.register_load_state_dict_post_hook(_continue)  # type: ignore[no-untyped-call]
        self.sample_rate, self.frame_rate = self.student.sample_rate, self.student.frame_rate
        self.provides = self.student.provides | {"teacher"} | ({"mixed"} if interpolate is not None else set())

    @classmethod
    def example(cls, labels: Labels) -> Network:
        """A small student with its teacher."""
        return cls(labels, Composed.example)

    def train(self, mode: bool = True) -> "MeanTeacher":
        """The teacher stays in eval mode, except batch norms whose statistics are recomputed."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, batch: Batch) -> Output:
        if not self.training:
            return self._output(self.student if self.evaluated == "student" else self.teacher, batch)
        if world_size() > 1 and (self.interpolate is not None or any(view.joint for view in self.views)):
            batch = as_wide(batch, self._raw)
        if self.statistics == "recomputed" and not self.fixed:
            self._recompute()
        output = self._output(self.student, self._view(batch))
        with torch.no_grad():
            teacher = self._output(self.teacher, self._view(batch))
        return replace(output, teacher=teacher, mixed=self._mixed(batch, teacher))

    def _recompute(self) -> None:
        """Let batch norms of the teacher normalise by its batches, where those of the student are trained just now."""
        for own, norm in zip(norms(self.teacher), norms(self.student), strict=True):
            own.train(norm.training and (trains(norm) or not list(norm.parameters())))

    def _mixed(self, batch: Batch, teacher: Output) -> Output | None:
        """The student's output for mixes of clips without tags, and that of the teacher."""
        if self.interpolate is None:
            return None
        generator = self._generator(batch)
        both = mixes(batch, teacher, self.interpolate, generator)
        if both is None:
            return None
        mixed = self._view(both[0], generator)  # also in a process without mixes, since views may exchange clips
        if not len(mixed):
            if any(isinstance(norm, nn.SyncBatchNorm) for norm in norms(self.student)):  # the others wait for this one
                raise WsedError(
                    "trainer.sync_batchnorm: in one process no clip without tags is left to mix, and the others would "
                    "wait for it; in data.augment, set labels of mixup to soft, or set trainer.sync_batchnorm to false"
                )
            return None
        return replace(self._output(self.student, mixed), teacher=both[1])

    @staticmethod
    def _output(network: Network, batch: Batch) -> Output:
        output: Output = network(batch)
        return output

    def _view(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """The batch after the `views`, drawn from the generator; from a new one for each call if there is none."""
        if not self.views:
            return batch
        return augmented(batch, self.views, self._generator(batch) if generator is None else generator, self._raw)

    @property
    def _raw(self) -> Raw | None:
        """Computes features, if the student has a frontend."""
        frontend = self.student.frontend
        return frontend.raw if isinstance(frontend, Frontend) else None

    def _generator(self, batch: Batch) -> torch.Generator:
        """A new generator in each call; seed, step and the place of a clip among those of all ranks give its draws."""
        self._drawn += 1
        place = (self._seed, self._step, self._drawn)
        return Draws.of(batch.n_samples.device, hash(place) % 2**63, rank(), world_size())

    @property
    def learned(self) -> bool:
        """Whether all parts of student and teacher have learned from the training set."""
        return not any(True for part in self.children() for _ in learners(part))

    def learn(self, train: TrainingSet) -> None:
        """Let the parts of the student learn and copy them to the teacher; a pretrained teacher learns by itself.

        >>> from types import SimpleNamespace
        >>> training_set = SimpleNamespace(batches=list, in_order=list, label_counts=list)  # without clips
        >>> MeanTeacher(Labels(["dog", "cat"]), Composed.example).learn(training_set)
        """
        for part in learners(self.student):
            part.learn(train)
        for part in learners(self.teacher) if self.fixed else ():
            part.learn(train)
        if not self.fixed:
            self._copy_buffers()

    def of_wrapped(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weights of a network without a teacher, by their names here: for the student, and for its running mean.

        >>> network = MeanTeacher(Labels(["dog", "cat"]), Composed.example)
        >>> list(network.of_wrapped({"encoder.weight": torch.ones(1)}))
        ['student.encoder.weight', 'teacher.encoder.weight']
        """
        parts = ("student",) if self.fixed else ("student", "teacher")
        return {f"{part}.{name}": value for part in parts for name, value in weights.items()}

    @torch.no_grad()
    def after_step(self) -> None:
        """Update the running mean of the weights by one step."""
        self.student.after_step()
        if not self.fixed:
            self.teacher.after_step()
        self.steps += 1
        self._step, self._drawn = self._step + 1, 0
        if self.fixed:
            return
        share = (1 / (self.steps + 1)).clamp(min=1 - self.decay)
        for mean, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(new, share.to(mean.dtype))
        self._copy_buffers(share)

    @torch.no_grad()
    def _copy_buffers(self, share: torch.Tensor | None = None) -> None:
        """Copy the student's buffers; with `share`, update statistics of batch norms as `statistics` says."""
        moved = [norm for norm in norms(self.teacher) if norm.training or self.statistics != "recomputed"]
        of_norms = {id(buffer) for norm in moved for buffer in norm.buffers()}
        for own, new in zip(self.teacher.buffers(), self.student.buffers(), strict=True):
            if share is None or self.statistics == "copied" or id(own) not in of_norms:
                own.copy_(new)
            elif self.statistics == "averaged" and own.is_floating_point():
                own.lerp_(new, share.to(own.dtype))

    @property
    def frontend(self) -> object:
        """The frontend of the student, for pictures."""
        return self.student.frontend


def _continue(network: nn.Module, _keys: object) -> None:
    """Continue to count the steps after weights were loaded."""
    assert isinstance(network, MeanTeacher)
    network._step, network._drawn = int(network.steps), 0


def norms(network: nn.Module) -> list[nn.Module]:
    """The batch norms of a network.

    >>> len(norms(Composed.example(Labels(["dog", "cat"]))))
    3
    """
    return [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


def trains(module: nn.Module) -> bool:
    """Whether a module has weights that are trained.

    >>> trains(nn.Linear(1, 1)), trains(nn.Linear(1, 1).requires_grad_(False)), trains(nn.ReLU())
    (True, False, False)
    """
    return any(parameter.requires_grad for parameter in module.parameters())
