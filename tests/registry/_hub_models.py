"""Tiny models of transformers with drawn weights, one of each family, as ``save_pretrained`` writes them."""

from pathlib import Path
from typing import Any

import pytest
import torch

RATE = 8000
_WAVES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (8, 8),
    "conv_kernel": (60, 40),
    "conv_stride": (40, 20),
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_length": 2,
}
_LAYER_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
_TEXT: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
_AUDIO: dict[str, Any] = {
    "patch_embeds_hidden_size": 8,
    "depths": [1, 1],
    "num_attention_heads": [1, 2],
    "hidden_size": 16,
    "num_mel_bins": 16,
    "spec_size": 64,
    "window_size": 4,
}
FAMILIES = ["wav2vec2", "wav2vec2-layer", "hubert", "wavlm", "data2vec", "ast", "whisper", "clap", "clap-fusion"]


def hub_model(name: str) -> tuple[Any, Any]:
    """A model and its feature extractor."""
    library: Any = pytest.importorskip("transformers")
    torch.manual_seed(5)
    of_waves = library.Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=name != "hubert")
    if name in ("wav2vec2", "wav2vec2-layer"):
        config = library.Wav2Vec2Config(**_WAVES, **(_LAYER_NORM if name != "wav2vec2" else {}))
        return library.Wav2Vec2ForCTC(config), of_waves  # with a head, as many checkpoints have
    if name == "hubert":
        return library.HubertModel(library.HubertConfig(**_WAVES, layerdrop=0.9)), of_waves
    if name == "wavlm":
        return library.WavLMModel(library.WavLMConfig(**_WAVES)), of_waves
    if name == "data2vec":
        return library.Data2VecAudioModel(library.Data2VecAudioConfig(**_WAVES)), of_waves
    if name == "ast":
        sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
        config = library.ASTConfig(**sizes, max_length=150, num_mel_bins=32)
        extractor = library.ASTFeatureExtractor(sampling_rate=RATE, num_mel_bins=32, max_length=150)
        return library.ASTForAudioClassification(config), extractor
    if name == "whisper":
        sizes = {"encoder_layers": 2, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
        heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "d_model": 16, "vocab_size": 20}
        tokens = dict.fromkeys(["pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"], 0)
        config = library.WhisperConfig(**sizes, **heads, **tokens, num_mel_bins=16, max_source_positions=100)
        extractor = library.WhisperFeatureExtractor(feature_size=16, sampling_rate=RATE, hop_length=80, chunk_length=2)
        return library.WhisperForConditionalGeneration(config), extractor
    fusion = name == "clap-fusion"
    audio = {**_AUDIO, "enable_fusion": fusion}
    config = library.ClapConfig(audio_config=audio, text_config={**_TEXT, "vocab_size": 20}, projection_dim=8)
    sizes = {"sampling_rate": RATE, "hop_length": 160, "max_length_s": 2, "fft_window_size": 256, "feature_size": 16}
    truncation = "fusion" if fusion else "rand_trunc"
    return library.ClapModel(config), library.ClapFeatureExtractor(**sizes, frequency_max=4000, truncation=truncation)


def hub_folder(path: Path, name: str) -> Path:
    """A folder with a model and its feature extractor."""
    for made in hub_model(name):
        made.save_pretrained(path)
    return path
