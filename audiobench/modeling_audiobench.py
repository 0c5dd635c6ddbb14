"""An encoder of audiobench as a model of transformers. A copy of this file is in every folder of the format ``hf``."""

import json
from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from audiobench import blank_net


class AudiobenchConfig(PretrainedConfig):
    """``audiobench`` names the encoder and the front end, with versions and settings; ``hidden_size`` is D."""

    model_type = "audiobench"
    audiobench: dict[str, Any] | None = None
    hidden_size: int = 0

    def to_json_string(self, *arguments: Any, **options: Any) -> str:
        """Keeps the order of ``audiobench``, which transformers would sort: branches of an encoder have an order."""
        plain = json.loads(super().to_json_string(*arguments, **options))
        return json.dumps({**plain, "audiobench": self.audiobench}, indent=2) + "\n"


class AudiobenchModel(PreTrainedModel):
    """Waveforms to embeddings. ``model`` is the front end and the encoder; ``model.frames`` gives frames."""

    config_class = AudiobenchConfig
    main_input_name = "input_values"

    def __init__(self, config: AudiobenchConfig) -> None:
        super().__init__(config)
        self.model = blank_net(config.audiobench or {})
        self._fresh: list[Any] = []  # in a list, so that it is no part of this model
        self.post_init()

    def forward(
        self, input_values: Tensor, attention_mask: Tensor | None = None, **others: Any
    ) -> BaseModelOutputWithPooling:
        """Embeddings ``pooler_output`` ``[B, D]``: the mean over windows at half-window stride, or of whole waveforms.

        Args:
            input_values: ``[B, T]`` float32 in [-1, 1] at the model's rate, of any length.
            attention_mask: ``[B, T]``, 0 where a waveform was padded at its end: it embeds as it does alone.
        """
        if attention_mask is None or bool(attention_mask.all()):
            z_BD = self.model(input_values)
        else:
            waves = [
                wave_T[None, : int(mask_T.sum())] for wave_T, mask_T in zip(input_values, attention_mask, strict=True)
            ]
            z_BD = torch.cat([self.model(wave_1T) for wave_1T in waves])
        return BaseModelOutputWithPooling(pooler_output=z_BD)

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Fills what no file of weights holds, such as tables of positions, from a net that is made anew."""
        name = next((name for name, part in self.model.named_modules() if part is module), None)
        if name is None:
            return
        if not self._fresh:
            with torch.device("cpu"), torch.random.fork_rng():
                self._fresh.append(blank_net(self.config.audiobench or {}))
        fresh = self._fresh[0].get_submodule(name)
        for which in ("_parameters", "_buffers"):
            for key, tensor in getattr(module, which).items():
                if tensor is not None and not getattr(tensor, "_is_hf_initialized", False):
                    tensor.data.copy_(getattr(fresh, which)[key])
