"""What a unit of work costs, as a calibration measured it. No torch here."""

from pydantic import BaseModel, Field


class Cost(BaseModel):
    """Time by the clock, and of all threads of the process."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def plus(self, other: "Cost", factor: float = 1.0) -> "Cost":
        """This and so many times another cost; never less than nothing."""
        seconds, cpu_seconds = self.seconds + factor * other.seconds, self.cpu_seconds + factor * other.cpu_seconds
        return Cost(seconds=max(seconds, 0.0), cpu_seconds=max(cpu_seconds, 0.0))

    def times(self, factor: float) -> "Cost":
        """So many times this cost."""
        return Cost().plus(self, factor)


class Calibration(BaseModel):
    """What one kind of work costs on one machine."""

    rates: dict[str, Cost] = Field(description="of each unit of work: ``units`` in ledger/forecast.py makes them")
    clips: int = Field(description="that it worked on, of the data set's or in their place")
    sizes: dict[str, float] = Field({}, description="dim of an embedding, and bytes of files by unit of work")
    decoded: dict[str, int] = Field({}, description="samples of the clips that were packed, by id")
    peak_memory: dict[str, int] = Field({}, description="bytes, of the process (host) and on the GPU (device)")
