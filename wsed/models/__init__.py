"""Networks and their parts: frontends, encoders and heads."""

from typing import TYPE_CHECKING

from wsed.lazy import lazy

if TYPE_CHECKING:
    from wsed.models.base import (
        ENCODERS,
        FRONTENDS,
        HEADS,
        NETWORKS,
        Encoder,
        EncoderFactory,
        Frontend,
        Head,
        HeadFactory,
        Network,
        NetworkFactory,
    )
    from wsed.models.embeddings import Embeddings
    from wsed.models.encoders.audio_transformer import AST
    from wsed.models.encoders.beats import BEATs
    from wsed.models.encoders.cached_fusion import CachedFusion, FusionFeatures
    from wsed.models.encoders.cdur import CDur, CDurFeatures
    from wsed.models.encoders.clap import CLAP
    from wsed.models.encoders.cnn import CNN
    from wsed.models.encoders.conformer import Conformer
    from wsed.models.encoders.crnn import CRNN
    from wsed.models.encoders.fusion import Fusion
    from wsed.models.encoders.identity import Identity
    from wsed.models.encoders.module import ModuleEncoder
    from wsed.models.encoders.resnet1d import ResNet1d
    from wsed.models.encoders.speech import HuBERT, Wav2Vec2, WavLM
    from wsed.models.encoders.transformers_audio import TransformersAudio
    from wsed.models.encoders.waa import WAA
    from wsed.models.encoders.wav2vec2_bert import Wav2Vec2Bert, Wav2Vec2BertFeatures
    from wsed.models.encoders.whisper import Whisper, WhisperFeatures
    from wsed.models.encoders.yamnet import YAMNet, YAMNetFeatures
    from wsed.models.fbank import FBank
    from wsed.models.frontends import LogMel, Standardised, Waveform
    from wsed.models.heads.attention import Attention
    from wsed.models.heads.cdur import CDurHead
    from wsed.models.heads.clip_attention import ClipAttention
    from wsed.models.heads.embedding import Embedding
    from wsed.models.heads.framewise import Framewise
    from wsed.models.heads.macro import Macro
    from wsed.models.heads.micro import Micro
    from wsed.models.heads.mlp import MLP
    from wsed.models.heads.parts import Parts
    from wsed.models.heads.projection import Projection
    from wsed.models.heads.tagging import Tagging
    from wsed.models.mmnet import MMNet
    from wsed.models.network import Composed
    from wsed.models.systems import TagGated
    from wsed.models.teacher import MeanTeacher
else:
    __getattr__, __dir__ = lazy(__name__, "frontend", "encoder", "head", "network")

__all__ = [
    "AST",
    "CLAP",
    "CNN",
    "CRNN",
    "ENCODERS",
    "FRONTENDS",
    "HEADS",
    "MLP",
    "NETWORKS",
    "WAA",
    "Attention",
    "BEATs",
    "CDur",
    "CDurFeatures",
    "CDurHead",
    "CachedFusion",
    "ClipAttention",
    "Composed",
    "Conformer",
    "Embedding",
    "Embeddings",
    "Encoder",
    "EncoderFactory",
    "FBank",
    "Framewise",
    "Frontend",
    "Fusion",
    "FusionFeatures",
    "Head",
    "HeadFactory",
    "HuBERT",
    "Identity",
    "LogMel",
    "MMNet",
    "Macro",
    "MeanTeacher",
    "Micro",
    "ModuleEncoder",
    "Network",
    "NetworkFactory",
    "Parts",
    "Projection",
    "ResNet1d",
    "Standardised",
    "TagGated",
    "Tagging",
    "TransformersAudio",
    "Wav2Vec2",
    "Wav2Vec2Bert",
    "Wav2Vec2BertFeatures",
    "WavLM",
    "Waveform",
    "Whisper",
    "WhisperFeatures",
    "YAMNet",
    "YAMNetFeatures",
]
