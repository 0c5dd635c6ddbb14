"""The same work by other kits, where they are installed: HEAR's grid of probes, and X-ARES from audio to figures.

Both need a package or a setting of their time: HEAR's kit pytorch-lightning 1.9, X-ARES a decoder that torchaudio had.
"""

import json
import logging
import os
import pickle
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import chdir, nullcontext
from importlib.util import find_spec
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import soundfile
import torch
from torch import Tensor, nn

import audiobench
from registry.audio import Recordings
from registry.lookup import ENCODERS, FRONTENDS, PROTOCOLS
from registry.protocols import Embeddings, Labels, Split, Subject
from tests.speed import Row, ratio

CLIPS, CLASSES, FOLDS, DIM = 400, 10, 5, 512
DATA = Path(os.environ.get("AUDIOBENCH_DATA", "../shared/data"))
FRONTEND = {"name": "logmel", "hop_length": 640}
ENCODER = {"name": "cnn10", "width": 16}


def rows() -> Iterator[Row]:
    """One row for each kit that is installed."""
    if find_spec("heareval"):
        yield _grid()
    if find_spec("xares") and DATA.exists():
        yield _from_audio()


def _grid() -> Row:
    """HEAR chooses among 8 probes on one fold; we train each of ours on all folds."""
    generator = torch.Generator().manual_seed(0)
    label_N = torch.arange(CLIPS) % CLASSES
    centre_CD = torch.randn(CLASSES, DIM, generator=generator)
    z_ND = centre_CD[label_N] + 4 * torch.randn(CLIPS, DIM, generator=generator)  # most clips, not all, are learned
    labels = Labels(label_N, torch.arange(CLIPS) // (CLIPS // FOLDS), torch.arange(CLIPS), CLASSES)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        theirs = _hear(Path(folder), z_ND, label_N)
        work = f"8 probes with a hidden layer, {FOLDS} folds of {CLIPS} clips, {DIM} values"
        return ratio(work, lambda: _probes(z_ND, labels), "HEAR's kit, grid of 8", theirs, 1.0, pairs=1)


def _probes(z_ND: Tensor, labels: Labels) -> None:
    nothing = Recordings(np.empty(0, np.int16), np.zeros(1, np.int64), 16000)
    subject = Subject(Embeddings(z_ND, torch.arange(CLIPS)), nothing, torch.device("cpu"), nullcontext)  # type: ignore[arg-type]
    for rate in (1e-2, 3e-3, 1e-3, 3e-4):
        for decay in (0.0, 1e-2):
            chosen = PROTOCOLS.choose({"name": "freeze", "head": "mlp", "learning_rate": rate, "weight_decay": decay})
            chosen.build().evaluate(subject, Split(labels), range(FOLDS), 0, lambda *told: None)


def _hear(folder: Path, z_ND: Tensor, label_N: Tensor) -> Any:
    """Writes embeddings as the kit wants them, and returns what trains its probes."""
    np.Inf = np.inf  # type: ignore[attr-defined]  # which the kit asks for, and NumPy 2 no longer has
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # its checkpoints have Python objects
    from heareval.predictions.task_predictions import task_predictions  # type: ignore[import-not-found]

    names = [f"fold{fold:02d}" for fold in range(FOLDS)]
    for name, z_MD, label_M in zip(names, z_ND.chunk(FOLDS), label_N.chunk(FOLDS), strict=True):
        z_MD.numpy().tofile(folder / f"{name}.embeddings.npy")
        (folder / f"{name}.embedding-dimensions.json").write_text(json.dumps(list(z_MD.shape)))
        (folder / f"{name}.target-labels.pkl").write_bytes(pickle.dumps([[str(label)] for label in label_M.tolist()]))
    (folder / "labelvocabulary.csv").write_text("idx,label\n" + "".join(f"{c},{c}\n" for c in range(CLASSES)))
    about = {
        "task_name": "made",
        "embedding_type": "scene",
        "prediction_type": "multiclass",
        "evaluation": ["top1_acc"],
    }
    about |= {"version": "1", "split_mode": "presplit_kfold", "splits": names}
    (folder / "task_metadata.json").write_text(json.dumps(about))
    return lambda: task_predictions(folder, DIM, 8, None, True, True, "default", logging.getLogger("hear"))


def _from_audio() -> Row:
    """ESC-10 with a narrow net of random weights: decode, embed, train a probe on five folds, vote."""
    data = DATA.resolve()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("suite.yaml").write_text(
            f"schema_version: 1\nname: kits\ntitle: Kits\nseeds: [0]\ncrop: 5.0\nfrontend: {json.dumps(FRONTEND)}\n"
            f"encoder: {json.dumps(ENCODER)}\nentries:\n  random: {{weights: random, protocols: [freeze, knn]}}\n"
            "tasks: [esc10]\nprotocols: {freeze: {}, knn: {}}\n"
        )
        _write_tars(data / "ESC-50")
        turn = count()

        def ours() -> None:
            audiobench.run("suite.yaml", data=data, runs=f"runs-{next(turn)}", device="cpu", track=[])

        return ratio(
            "ESC-10, audio to figures", ours, "X-ARES: an MLP and KNN", lambda: _xares(next(turn)), 1.0, pairs=1
        )


def _write_tars(esc50: Path) -> None:
    """Writes ESC-10 as X-ARES wants it, a tar a fold."""
    table = pandas.read_csv(esc50 / "meta" / "esc50.csv")
    table = table[table.esc10]
    table["label"] = table.category.astype("category").cat.codes
    for fold, clips in table.groupby("fold"):
        with tarfile.open(f"wds-audio-fold-{fold}-00000.tar", "w") as tar:
            for name, target in zip(clips.filename, clips.label, strict=True):
                wave_T, rate = soundfile.read(esc50 / "audio" / name)
                audio = BytesIO()
                soundfile.write(audio, wave_T, rate, format="FLAC")
                stem = Path(name).stem
                _add(tar, f"{stem}.flac", audio.getvalue())
                _add(tar, f"{stem}.json", json.dumps({"target": target}).encode())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, BytesIO(content))


class Encoder(nn.Module):
    """The same net in X-ARES' form: waveforms ``[B, T]`` to ``[B, frames, D]``, one frame of a whole clip."""

    sampling_rate = 16000
    hop_size_in_ms = 40

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.frontend = FRONTENDS.choose(FRONTEND).build()
        self.encoder = ENCODERS.choose(ENCODER).build(self.frontend.channels, self.frontend.bins)
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.output_dim = self.encoder.embedding_dim
        self.eval()

    def forward(self, wave_BT: Tensor) -> Tensor:
        """The embedding of each waveform."""
        z_BD: Tensor = self.encoder.embed(self.frontend(wave_BT))
        return z_BD.unsqueeze(1)


def _xares(turn: int) -> None:
    import webdataset  # type: ignore[import-untyped]
    from xares.task import TaskConfig, XaresTask  # type: ignore[import-not-found]

    def decoded(name: str, content: bytes) -> tuple[Tensor, int] | None:
        if not name.endswith("flac"):
            return None
        wave_TC, rate = soundfile.read(BytesIO(content), dtype="float32", always_2d=True)
        return torch.from_numpy(wave_TC.T.copy()), rate

    webdataset.torch_audio = decoded  # torchaudio.load needs a package of its own now, and X-ARES leaves out what fails
    folder = Path(f"xares-{turn}")
    (folder / "esc10").mkdir(parents=True)
    for tar in Path().glob("*.tar"):
        (folder / "esc10" / tar.name).symlink_to(tar.resolve())
    (folder / "esc10" / ".audio_tar_ready").touch()
    config = TaskConfig(
        name="esc10",
        encoder=Encoder(),
        k_fold_splits=[1, 2, 3, 4, 5],
        output_dim=CLASSES,
        env_root=folder,
        private=True,
        torch_num_threads=1,
        num_encoder_workers=0,
        label_processor=lambda known: known["target"],
    )
    XaresTask(config).run()
