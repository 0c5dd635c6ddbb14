"""A front end that learns, as a user's plugin would bring it."""

from pydantic import Field
from torch import Tensor, nn

from registry.frontends import Frontend
from registry.settings import Settings


class LearnedBank(Frontend):
    """Log energies of filters that train, drawn at random; ``[B, T]`` to ``[B, 1, filters, N]``."""

    class Config(Settings):
        sample_rate: int = Field(16000, gt=0, description="Hz")
        filters: int = Field(32, ge=1, description="how many")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.sample_rate, self.channels, self.bins = config.sample_rate, 1, config.filters
        self.bank = nn.Conv1d(1, config.filters, 400, stride=160, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, wave_BT: Tensor) -> Tensor:
        energy_BFN = self.bank(wave_BT.unsqueeze(1)).square()
        x_B1FN: Tensor = self.norm((energy_BFN + 1e-5).log().unsqueeze(1))
        return x_B1FN
