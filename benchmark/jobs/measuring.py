"""Statistics of a front end's output over the training clips."""

from functools import partial

import torch
from torch import Tensor, nn

from benchmark.progress import Progress
from registry.audio import Recordings, on_device
from registry.frontends import Frontend
from registry.net import shortest_embedded
from registry.windows import Window

_CLIPS_AT_ONCE = 64


@torch.no_grad()
def measure(
    frontend: Frontend,
    recordings: Recordings,
    clips_N: Tensor,
    window_samples: Window,
    device: torch.device,
    progress: Progress,
) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation over every value that the front end gives for some clips, whole or in windows.

    Args:
        frontend: on the device; it will normalise by these statistics.
        recordings: of the data set.
        clips_N: the training clips.
        window_samples: samples in a window, or ``whole``; as in embedding.
        device: where.
        progress: advances with each clip.

    Returns:
        Mean and standard deviation by the name of each module that normalises.
    """
    for module in frontend.measured().values():
        module.set(0.0, 1.0)
    shortest = 1
    if window_samples == "whole":
        least, rate = int(recordings.lengths(clips_N).min()), recordings.sample_rate
        shortest = shortest_embedded(lambda n: frontend(torch.zeros(1, n, device=device)), least, rate)
    sums = {name: torch.zeros(3, dtype=torch.float64, device=device) for name in frontend.measured()}
    for name, module in frontend.measured().items():
        module.register_forward_pre_hook(partial(_add, sums[name]))
    for wave_WT, clip_W in recordings.batches(clips_N, window_samples, _CLIPS_AT_ONCE, shortest, device=device):
        frontend(on_device(wave_WT, device))
        progress.advance(len(clip_W.unique()))
    statistics = {}
    for name, of_module in sums.items():
        count, total, squares = of_module.tolist()
        mean = total / count
        statistics[name] = (mean, max(squares / count - mean**2, 1e-12) ** 0.5)
    return statistics


def _add(sums: Tensor, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Adds the count, sum and sum of squares of a module's input to ``sums``."""
    x = inputs[0].double()
    sums += torch.stack([torch.tensor(float(x.numel()), device=x.device), x.sum(), x.square().sum()])
