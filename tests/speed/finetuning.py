"""An epoch of fine-tuning with its evaluation, beside a loop by hand."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from benchmark.jobs.model import build_encoder, build_views, place
from registry.encoders import Encoder
from registry.lookup import ENCODERS, FRONTENDS, PROTOCOLS
from registry.protocols import Labels, Model, Split, Subject
from registry.torchaudio import MelSpectrogram
from tests.speed import Row, ratio
from tests.speed._steps import BATCH, CNN10, CPU, LOGMEL, RATE, RESNET18, WINDOW, recordings

_CLIPS, _TEST, _SECONDS, _CLASSES = 160, 32, 3, 10  # a clip of 3 s has 5 windows of 1 s


def rows() -> Iterator[Row]:
    """A net of usual size, and a narrow one: two steps of 64 clips, and 160 windows that are tested."""
    for encoder, settings in {"resnet18": RESNET18, "cnn10, width 16": CNN10}.items():
        views = build_views(FRONTENDS.choose(LOGMEL))
        net: Encoder = place(build_encoder(ENCODERS.choose(settings), views.frontend), CPU)
        work = f"finetune with {encoder}, an epoch of 128 clips, 32 tested"
        yield ratio(work, _ours(net), "a loop by hand", _by_hand(net), 1.1)


def _ours(net: Encoder) -> Callable[[], object]:
    views = build_views(FRONTENDS.choose(LOGMEL))
    model = Model(lambda: deepcopy(net), views, views, WINDOW)
    subject = Subject(None, recordings(_CLIPS, _SECONDS), CPU.device, CPU.autocast, model)
    clip_N = torch.arange(_CLIPS)
    split = Split(Labels(clip_N % _CLASSES, (clip_N < _TEST).long(), clip_N, _CLASSES))
    protocol = PROTOCOLS.build({"name": "finetune", "epochs": 1, "batch_size": BATCH})
    return lambda: protocol.evaluate(subject, split, [1], 0, lambda *told: None)


def _by_hand(net: Encoder) -> Callable[[], None]:
    wave_NT = torch.from_numpy(recordings(_CLIPS, _SECONDS).samples[:]).view(_CLIPS, -1)
    label_N = torch.arange(_CLIPS) % _CLASSES
    mel = MelSpectrogram(
        RATE, n_fft=512, hop_length=160, n_mels=64, f_min=50, f_max=8000, norm="slaney", mel_scale="slaney"
    )

    def spectrogram(wave_BT: torch.Tensor) -> torch.Tensor:
        x_BFN = 10 * mel(wave_BT / 32767).clamp_min(1e-10).log10()
        std_BFN, mean_BFN = torch.std_mean(x_BFN, (1, 2), keepdim=True)
        normal_BCFN: torch.Tensor = ((x_BFN - mean_BFN) / std_BFN)[:, None]
        return normal_BCFN.contiguous(memory_format=torch.channels_last)

    def epoch() -> None:
        encoder = deepcopy(net).train()
        head = nn.Linear(encoder.embedding_dim, _CLASSES)
        optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=1e-3)
        for clip_B in (torch.randperm(_CLIPS - _TEST) + _TEST).split(BATCH):
            start_B = torch.randint(wave_NT.shape[1] - WINDOW, (len(clip_B), 1))
            x_BCFN = spectrogram(wave_NT[clip_B[:, None], start_B + torch.arange(WINDOW)])
            optimizer.zero_grad()
            F.cross_entropy(head(encoder.embed(x_BCFN)), label_N[clip_B]).backward()
            optimizer.step()
        encoder.eval()
        with torch.no_grad():
            for wave_BT in wave_NT[:_TEST].split(16):
                wave_BWT = wave_BT.unfold(1, WINDOW, WINDOW // 2)
                output_BC = head(encoder.embed(spectrogram(wave_BWT.flatten(0, 1))))
                output_BC.unflatten(0, wave_BWT.shape[:2]).mean(1).argmax(1).tolist()

    return epoch
