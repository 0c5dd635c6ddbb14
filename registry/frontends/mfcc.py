"""Mel-frequency cepstral coefficients."""

from typing import ClassVar, Self

from pydantic import Field, model_validator
from torch import Tensor

from registry.frontends.logmel import LogMel


class Mfcc(LogMel):
    """The first coefficients of an orthonormal DCT-II of the log-mel.

    ``[B, T]`` to ``[B, 1, n_mfcc, T // hop_length + 1]``.
    """

    source: ClassVar[str] = "Wang 2021 (13 coefficients of its 80 mel bands)"

    class Config(LogMel.Config):
        n_mfcc: int = Field(13, gt=0, description="coefficients kept, at most n_mels")
        n_mels: int = Field(80, gt=0, description="mel bands")

        @model_validator(mode="after")
        def _coefficients_fit(self) -> Self:
            if self.n_mfcc > self.n_mels:
                raise ValueError(f"n_mfcc {self.n_mfcc} is more than n_mels {self.n_mels}")
            return self

    def __init__(self, config: Config) -> None:
        super().__init__(config, bins=config.n_mfcc)
        from registry.torchaudio import create_dct

        self.dct_MF: Tensor
        self.register_buffer("dct_MF", create_dct(config.n_mfcc, config.n_mels, norm="ortho"))

    def transform(self, wave_BT: Tensor) -> Tensor:
        return (super().transform(wave_BT).transpose(2, 3) @ self.dct_MF).transpose(2, 3)
