"""What encoders with pretrained weights share: files of weights, weights that do not change, the right frontend."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.build import initial_weights_matter
from wsed.checkpoint_checks import check_archive
from wsed.errors import WsedError
from wsed.models.base import Encoder, Frontend
from wsed.ops.grid import padding, whole_frames
from wsed.spec import name_of, spec_of
from wsed.types import Encoded

INSIDE = ("state_dict", "model_state_dict", "model")
"""Entries of a file that may hold the weights."""

SHOWN = 4
"""Number of tensors that a message names."""


class Pretrained(Encoder):
    """Base class of encoders with pretrained weights, which can be frozen, including the statistics of batch norm.

    >>> from wsed.models.encoders.cdur import CDur
    >>> encoder = CDur(n_bands=64, freeze=True).train()
    >>> encoder.training, any(p.requires_grad for p in encoder.parameters())
    (False, False)
    """

    frozen = False
    pretrained = False
    """Whether the weights are not random."""

    def begin(self, pretrained: str | None, freeze: bool) -> None:
        """Called when the weights are there: keep whether they are pretrained, and freeze them if that is asked for.

        Args:
            pretrained: file or folder of the weights; None: they are random.
            freeze: do not train the weights.

        >>> from wsed.models.encoders.cdur import CDur
        >>> CDur(n_bands=64).frozen, CDur(n_bands=64, freeze=True).frozen
        (False, True)
        """
        self.pretrained = pretrained is not None
        if freeze:
            self.freeze()

    def freeze(self) -> None:
        """Do not train the weights; the encoder stays in eval mode."""
        self.frozen = True
        self.requires_grad_(requires_grad=False).eval()
        if not self.pretrained:
            stays_random(self)

    def train(self, mode: bool = True) -> "Pretrained":
        """A frozen encoder stays in eval mode."""
        return super().train(mode and not self.frozen)


RANDOM = "_wsed_random_and_frozen"


def stays_random(module: nn.Module) -> None:
    """Note that the weights of a module are random and will not be trained, until other weights are loaded into it.

    >>> layer = nn.Linear(1, 1)
    >>> stays_random(layer)
    >>> random_and_frozen(layer)
    ['Linear']
    >>> layer.load_state_dict(nn.Linear(1, 1).state_dict())
    <All keys matched successfully>
    >>> random_and_frozen(layer)
    []
    """
    vars(module)[RANDOM] = True
    module.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]


def _loaded(module: nn.Module, _keys: object) -> None:
    vars(module)[RANDOM] = False


def random_and_frozen(network: nn.Module) -> list[str]:
    """The names of the parts of a network whose weights are random and not trained, by mistake as a rule.

    >>> from wsed.models.encoders.cdur import CDur
    >>> random_and_frozen(CDur(n_bands=64, freeze=True)), random_and_frozen(CDur(n_bands=64))
    (['encoder cdur'], [])
    """
    return sorted({name_of(type(part)) for part in network.modules() if vars(part).get(RANDOM)})


def by_length(
    run: Callable[[Tensor], Tensor],
    features: Float[Tensor, "clip band frame"],
    valid: Bool[Tensor, "clip frame"] | None,
    stride: int,
    dim: int,
    name: str = "encoder",
) -> Float[Tensor, "clip frame2 dim"]:
    """The embeddings of clips, computed for one length at a time, so that padding never matters.

    Args:
        run: computes embeddings `[clip frame dim]` from features without padding. If the last one is missing, the one
            before it is repeated.
        features: the features.
        valid: frames that hold signal, which come first in each clip; all if None.
        stride: time steps of the features per embedding.
        dim: values of an embedding.
        name: name of the encoder, for the message.

    Raises:
        WsedError: `run` gives too few embeddings.

    >>> features, valid = torch.ones(1, 2, 6), torch.tensor([[True] * 4 + [False] * 2])
    >>> by_length(lambda x: x.transpose(1, 2)[:, ::2], features, valid, stride=2, dim=2)[0, :, 0]
    tensor([1., 1., 0.])
    """
    n_frames = features.shape[2] // stride
    frames = features.new_zeros(features.shape[0], n_frames, dim)  # not len(): an export would fix it
    if not torch.compiler.is_exporting() and n_frames == 0:  # many models cannot take so short a clip
        return frames
    if valid is None:  # do not read the values: the CPU would wait for an accelerator
        return _filled(run(features)[:, :n_frames].to(frames.dtype), n_frames, name)
    lengths = valid.sum(1)
    for length in sorted(set(lengths.tolist())):
        if length >= stride:
            alike = lengths == length
            n = length // stride
            frames[alike, :n] = _filled(run(features[alike, :, :length])[:, :n].to(frames.dtype), n, name)
    return frames


def _filled(frames: Float[Tensor, "clip frame dim"], n_frames: int, name: str) -> Float[Tensor, "clip frame2 dim"]:
    """Embeddings with the last one repeated if one is missing."""
    if frames.shape[1] == n_frames:
        return frames
    if not 0 < frames.shape[1] == n_frames - 1:
        raise WsedError(
            f"{name} gives {frames.shape[1]} frames for a clip of {n_frames}: its stride is another one, or a setting "
            "drops frames"
        )
    return torch.cat([frames, frames[:, -1:]], dim=1)


def encoded_by_length(
    encoder: Encoder,
    run: Callable[[Tensor], Tensor],
    features: Float[Tensor, "clip band frame"],
    valid: Bool[Tensor, "clip frame"] | None,
) -> Encoded:
    """What an encoder returns whose clips are computed for one length at a time, with the arguments of `by_length`.

    >>> from wsed.models.encoders.identity import Identity
    >>> encoded = encoded_by_length(Identity(2), lambda x: x.transpose(1, 2), torch.ones(1, 2, 3), None)
    >>> encoded.frames.shape, encoded.valid.tolist()
    (torch.Size([1, 3, 2]), [[True, True, True]])
    """
    padded, valid = padding(valid, features)
    lengths = valid if padded else None
    frames = by_length(run, features, lengths, encoder.stride, encoder.dim, name_of(type(encoder)))
    return Encoded(frames, whole_frames(valid, encoder.stride))


def encoded_short(
    encoder: Encoder, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None
) -> Encoded:
    """What an encoder returns, for features of any length: no frames if they are shorter than one.

    >>> from wsed.models.encoders.cdur import CDur
    >>> encoded_short(CDur(n_bands=64), torch.zeros(1, 64, 3), None).frames.shape
    torch.Size([1, 0, 256])
    """
    if not torch.compiler.is_exporting() and features.shape[2] < encoder.stride:
        none = torch.zeros(features.shape[0], 0, dtype=torch.bool, device=features.device)
        return Encoded(features.new_zeros(features.shape[0], 0, encoder.dim), none)
    encoded: Encoded = encoder(features, valid)
    return encoded


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file of weights, by name; no code in the file is executed.

    Args:
        path: a file of `torch.save` or of safetensors; weights in an entry `state_dict` or `model` are found.

    Raises:
        WsedError: there is no such file, it holds anything but tensors, or it is damaged.

    >>> read_tensors("missing.pth")
    Traceback (most recent call last):
    wsed.errors.WsedError: pretrained: no such file: missing.pth
    """
    content = _read(Path(path))
    for name in INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise WsedError(f"pretrained: {path} holds no weights by name; save a state_dict")
    return dict(content)


def read_entry(path: str | Path, name: str) -> object:
    """An entry of a file of weights by its name, such as a configuration; None if there is no such entry.

    Raises:
        WsedError: there is no such file, or it cannot be read safely.
    """
    content = _read(Path(path))
    return content.get(name) if isinstance(content, Mapping) else None


def _read(path: Path) -> object:
    if not path.is_file():
        raise WsedError(f"pretrained: no such file: {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        check_archive(path)
        content: object = torch.load(path, map_location="cpu", weights_only=True)
        return content
    except WsedError:
        raise
    except ModuleNotFoundError:
        raise WsedError(f'{path} needs safetensors: pip install "wsed[hub]"') from None
    except Exception:  # torch, pickle, zipfile and safetensors raise errors of many kinds
        raise WsedError(
            f"pretrained: {path} cannot be read safely: it is damaged, or it holds pickled objects, which could "
            "execute code; save its state_dict alone: torch.save(model.state_dict(), FILE)"
        ) from None


def load_tensors(module: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Load weights into a module; its weights must have the same names and shapes.

    Args:
        module: changed in place.
        weights: the weights by name.
        path: their file, for the message.

    Raises:
        WsedError: a tensor is missing, has another shape, holds NaN, or is unknown to the module.

    >>> load_tensors(nn.Linear(2, 1), {"weight": torch.ones(1, 3), "biass": torch.ones(1)}, "w.pth")
    Traceback (most recent call last):
    wsed.errors.WsedError: pretrained: w.pth is of another network: missing: bias; weight is [1, 3], not [1, 2]; \
unknown: biass
    """
    own = module.state_dict()
    shapes = [
        f"{name} is {list(weights[name].shape)}, not {list(value.shape)}"
        for name, value in own.items()
        if name in weights and weights[name].shape != value.shape
    ]
    wrong = [
        f"missing: {few(sorted(own.keys() - weights.keys()))}",
        few(shapes, "; "),
        f"unknown: {few(sorted(weights.keys() - own.keys()))}",
    ]
    if own.keys() != weights.keys() or shapes:
        reasons = "; ".join(reason for reason in wrong if reason and not reason.endswith(": "))
        raise WsedError(f"pretrained: {path} is of another network: {reasons}")
    if damaged := [name for name, value in weights.items() if bool(torch.isnan(value).any())]:
        raise WsedError(f"pretrained: {path} holds NaN in {few(damaged)}; take another file")
    module.load_state_dict(weights)


def few(names: list[str], between: str = ", ") -> str:
    """The first of many names, and how many more there are.

    >>> few(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d and 2 more'
    """
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return between.join(names[:SHOWN]) + more


def check_frontend(encoder: Encoder, frontend: Frontend, setting: str = "frontend") -> None:
    """Refuse a frontend whose features do not suit an encoder or its pretrained weights.

    Args:
        encoder: the encoder.
        frontend: its frontend.
        setting: the name of the setting that gives it, for the message.

    Raises:
        WsedError: the features differ, or if only the sample rate is known, that.

    >>> from wsed.models import CRNN, LogMel
    >>> check_frontend(CRNN(n_bands=64), LogMel())  # no pretrained weights: any frontend
    """
    if encoder.beside != (frontend.beside if isinstance(frontend, Frontend) else None):
        raise _not_beside(encoder, frontend, setting)
    wanted = encoder.trained_with()
    if wanted is None and encoder.trained_rate not in (None, frontend.sample_rate):
        raise WsedError(
            f"{name_of(type(encoder))}: its weights were trained on audio of {encoder.trained_rate} Hz, not "
            f"{frontend.sample_rate}; set sample_rate of `{setting}` to {encoder.trained_rate}"
        )
    if wanted is None or _features_agree(frontend, wanted):
        return
    raise wrong_frontend(name_of(type(encoder)), wanted, name_of(type(frontend)), setting)


def _not_beside(encoder: Encoder, frontend: Frontend, setting: str) -> WsedError:
    if frontend.beside is None:
        return WsedError(f"{name_of(type(encoder))} needs the {setting} cached_fusion, not {name_of(type(frontend))}")
    dim, step = frontend.beside
    return WsedError(
        f"{name_of(type(frontend))}: its features hold an embedding of {dim} values per {step} frames, but "
        f"{name_of(type(encoder))} does not read them so; give `encoder: {{class_path: cached_fusion, init_args: "
        f"{{beside_dim: {dim}, beside_step: {step}}}}}`"
    )


def wrong_frontend(encoder: str, wanted: Frontend, actual: str, setting: str = "frontend") -> WsedError:
    """The error for an encoder that gets other features than its weights were trained on.

    >>> from wsed.models import Waveform
    >>> print(wrong_frontend("encoder x", Waveform(), "1 band"))
    encoder x: its weights were trained on other features than those of 1 band; give `frontend: waveform`
    """
    spec = spec_of(wanted)
    default = spec_of(type(wanted)()).init_args
    changed = {name: value for name, value in spec.init_args.items() if value != default.get(name)}
    text = ", ".join(f"{name}: {value}" for name, value in changed.items())
    wanted_yaml = f"{{class_path: {spec.class_path}, init_args: {{{text}}}}}" if changed else spec.class_path
    return WsedError(
        f"{encoder}: its weights were trained on other features than those of {actual}; give `{setting}: {wanted_yaml}`"
    )


@torch.no_grad()
def _features_agree(one: Frontend, other: Frontend) -> bool:
    facts = [(each.sample_rate, each.n_bands, each.frame_rate) for each in (one, other)]
    if facts[0] != facts[1] or not initial_weights_matter():  # then the weights are not there yet
        return facts[0] == facts[1]
    noise = 0.1 * torch.randn(1, one.sample_rate, generator=torch.Generator().manual_seed(0))
    length = torch.tensor([one.sample_rate])
    features = [each(noise, length)[0] for each in (one, other)]
    return features[0].shape == features[1].shape and torch.allclose(*features, atol=1e-3)
