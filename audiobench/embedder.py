"""A model of audiobench as a transformer of scikit-learn."""

from collections.abc import Collection, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from registry.errors import Mistake
from registry.text import say

if TYPE_CHECKING:
    from sklearn.utils import Tags

    from benchmark.ledger.entry import Model

_CLIPS_AT_ONCE = 8  # of an array: its windows are one batch


class Embedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Recordings to embeddings ``[N, D]``, float32, by the model of an entry; nothing is learned from them.

    Recordings are a list (array, series) of paths of sound files, read and resampled as ``audiobench embed`` does it,
    or an array ``[N, T]`` of waveforms in [-1, 1] at the model's rate.

    >>> pipeline = make_pipeline(audiobench.Embedder("moco", suite="esc10", scale="cpu"), LogisticRegression())

    Args:
        entry: of a suite, pretrained or brought; or the folder of an export (``safetensors``, ``hf``), or of a finished
            pretraining, ``RUNS/pretrain/KEY``.
        suite: path or name of the suite; None for the only suite that was run and has such an entry.
        scale: one of the suite's scales.
        data: the folder of data sets, for a suite as it is now; None for the suite as it was run last.
        runs: the folder of records.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...

    Attributes:
        model_: the loaded model; ``model_.net`` is what ``audiobench.load`` gives.
        n_features_in_: T, if it was fitted on an array.
    """

    def __init__(
        self,
        entry: str | PathLike[str],
        *,
        suite: str | PathLike[str] | None = None,
        scale: str | None = None,
        data: str | PathLike[str] | None = None,
        runs: str | PathLike[str] = "runs",
        device: str = "auto",
    ) -> None:
        self.entry = entry
        self.suite = suite
        self.scale = scale
        self.data = data
        self.runs = runs
        self.device = device

    def fit(self, X: Any, y: object = None) -> Self:
        """Loads the model.

        Args:
            X: recordings, as in ``transform``; they are checked, and not listened to.
            y: is not used.

        Raises:
            Mistake: if there is no such model, or it is not pretrained here.
        """
        if _is_paths(X):
            self.__dict__.pop("n_features_in_", None)  # of an earlier fit
        else:
            validate_data(self, X, dtype="numeric")
        self.model_ = self._load()
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Embeddings ``[N, D]``, float32.

        Args:
            X: paths of N sound files, of any length and rate; or ``[N, T]`` waveforms in [-1, 1] at the model's rate,
                of the length that ``fit`` saw, if it saw an array.

        Raises:
            Mistake: with every file that cannot be read.
        """
        check_is_fitted(self)
        if _is_paths(X):
            return self._of_files([Path(path) for path in X])
        if hasattr(self, "n_features_in_"):
            return self._of_waves(validate_data(self, X, dtype="numeric", reset=False))
        return self._of_waves(check_array(X, dtype="numeric"))

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Names of the D columns: ``embedder0``, ``embedder1``, ..."""
        check_is_fitted(self)
        return np.array([f"embedder{i}" for i in range(self.model_.net.embedding_dim)], object)

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _load(self) -> "Model":
        import sys

        from benchmark.jobs.model import choose_device
        from benchmark.ledger.entry import Wanted, load_model
        from benchmark.store.store import Store

        suite = fspath(self.suite) if self.suite else None
        data = Path(self.data) if self.data else None
        wanted = Wanted(fspath(self.entry), suite, self.scale, data, (), lambda line: say(line, sys.stderr))
        self._device = choose_device(self.device, "auto")
        return load_model(wanted, Store(Path(self.runs)), self._device)

    def _of_files(self, files: Sequence[Path]) -> NDArray[np.float32]:
        from benchmark.jobs.vectors import embed_sounds

        made = dict(embed_sounds(self.model_.net, files, self.model_.samples, self._device))
        unread = {path: why for path, why in made.items() if isinstance(why, str)}
        if unread:
            listed = "\n".join(f"    {path}: {why}" for path, why in unread.items())
            raise Mistake(f"{len(unread)} of {len(files)} files cannot be used:\n{listed}", fix="leave them out")
        return np.stack([vector.z_D for path in files if not isinstance(vector := made[path], str)])

    def _of_waves(self, wave_NT: NDArray[Any]) -> NDArray[np.float32]:
        import torch

        parts = []
        with torch.no_grad(), self._device.autocast():
            for wave_BT in torch.from_numpy(np.asarray(wave_NT, np.float32)).split(_CLIPS_AT_ONCE):
                parts.append(self.model_.net(wave_BT.to(self._device.device)).cpu())
        return torch.cat(parts).numpy()


def _is_paths(X: Any) -> bool:
    """Whether recordings are named, and not given."""
    is_list = (
        isinstance(X, Collection) and getattr(X, "ndim", 1) == 1
    )  # iterating a data frame gives its columns' names
    return is_list and len(X) > 0 and all(isinstance(x, str | PathLike) for x in X)
