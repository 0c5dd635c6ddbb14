"""Models that hear a clip without the padding after it."""

from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.graph import Node

from registry.encoders._brought import Brought
from registry.errors import Mistake
from registry.settings import Own


class Unpadded(Brought[Own]):
    """A model that gets each clip without the padding after it.

    Waveforms alone are known here, so the samples after the last one that is not zero are taken as padding, be they
    padding or digital silence of the recording; a clip of nothing but zeros counts whole. Clips of one length go
    through the model together and no other sample joins them. So a padded clip has the embedding that it has alone, in
    models with attention masks and without (where a group norm or a convolution would hear the padding). What
    augmentation adds to padding, such as noise, is sound.

    A subclass says in ``open`` how the model is loaded, and in ``heard`` what it computes.
    """

    longest: int | None = None  # samples that the model takes at once

    def heard(self, wave_BT: Tensor) -> Tensor:
        """Frames ``[B, N, D]`` of waveforms without padding, of ``shortest`` to ``longest`` samples."""
        raise NotImplementedError

    def load_own(self, path: Path | None) -> None:
        """Loads the model, and freezes what its embedding does not need, such as layers above the one that is taken."""
        super().load_own(path)
        noise_BT = 0.1 * torch.randn(1, self.own_rate(self.config, path), generator=torch.Generator().manual_seed(0))
        with torch.enable_grad():
            needed = parameters_behind(self.frames(noise_BT))
        for parameter in self.parameters():
            parameter.requires_grad_(parameter in needed)

    def frames(self, wave_BT: Tensor) -> Tensor:
        """Frames ``[B, N, D]``; those after the end of a clip are the mean of its own, so as not to move their mean."""
        self.check_length(wave_BT)
        rows = defaultdict(list)
        for row, samples in enumerate(sounding(wave_BT, self.shortest)):
            rows[samples].append(row)
        found = {samples: self._in_pieces(wave_BT[clips, :samples]) for samples, clips in rows.items()}
        most = max(frames_GND.shape[1] for frames_GND in found.values())
        filled = []
        for frames_GND in found.values():
            mean_G1D = frames_GND.mean(1, keepdim=True)
            filled.append(torch.cat([frames_GND, mean_G1D.expand(-1, most - frames_GND.shape[1], -1)], 1))
        order = torch.tensor([row for clips in rows.values() for row in clips], device=wave_BT.device)
        return torch.cat(filled)[order.argsort()]

    def _in_pieces(self, wave_GT: Tensor) -> Tensor:
        """Frames of clips of one length; longer ones than the model takes are cut into pieces one after the other."""
        longest = self.longest or wave_GT.shape[1]
        pieces = [piece for piece in wave_GT.split(longest, 1) if piece.shape[1] >= self.shortest]
        return torch.cat([self.heard(piece).float() for piece in pieces], 1)


def sounding(wave_BT: Tensor, least: int) -> list[int]:
    """How many samples of each waveform there are up to the last that is not zero, at least ``least``.

    A waveform of zeros counts whole.
    """
    length = wave_BT.shape[1]
    place_BT = (wave_BT != 0) * torch.arange(1, length + 1, device=wave_BT.device)
    return [min(max(last, least), length) if last else length for last in place_BT.amax(1).tolist()]


def parameters_behind(output: Tensor) -> set[Tensor]:
    """The parameters that a gradient of a tensor reaches."""
    found: set[Tensor] = set()
    seen: set[Node] = set()
    ahead = [output.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(variable := getattr(node, "variable", None), Tensor):
            found.add(variable)
        ahead += [following for following, _ in node.next_functions]
    return found


def require_layer(layer: int, lowest: int, highest: int) -> None:
    """Raises a Mistake for a layer that the model does not have."""
    if not lowest <= layer <= highest:
        raise Mistake(f"the model has layers {lowest} to {highest}, and not {layer}", fix=f"layer: {highest}")
