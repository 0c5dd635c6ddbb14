"""Reads the folder of an export again: of the form ``safetensors``, or ``hf``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.export.description import DESCRIPTION, blank_net, components
from benchmark.export.exported import Exported
from benchmark.jobs import embed
from benchmark.store.files import file_digest
from benchmark.store.integrity import read_json
from benchmark.store.job import key_of
from registry.errors import Damaged, Mistake

if TYPE_CHECKING:
    from benchmark.jobs.model import Device

WEIGHTS = "encoder.safetensors"
HF_CONFIG, HF_WEIGHTS, HF_FIELD = "config.json", "model.safetensors", "audiobench"  # the field has the description
_AGAIN = "export the model again"


def is_export(folder: Path) -> bool:
    """Whether a folder has a description of an exported model."""
    if (folder / DESCRIPTION).is_file():
        return True
    try:
        return HF_FIELD in read_json(folder / HF_CONFIG)
    except (Damaged, OSError):
        return False


def read_export(folder: Path, device: "Device") -> Exported:
    """The model in the folder of an export.

    Args:
        folder: for which ``is_export`` holds.
        device: where the model will compute.

    Raises:
        Mistake: if the folder has no weights, these do not fit, the description is damaged or of a newer audiobench, or
            a component is not here or of another version.
    """
    hf = not (folder / DESCRIPTION).is_file()
    stated, weights = folder / (HF_CONFIG if hf else DESCRIPTION), folder / (HF_WEIGHTS if hf else WEIGHTS)
    try:
        content = read_json(stated)
        return _read_export(content[HF_FIELD] if hf else content, weights, device)
    except Mistake as mistake:
        raise Mistake(mistake.what, where=mistake.where or str(stated), fix=mistake.fix or _AGAIN) from mistake
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # pydantic's are ValueErrors
        what = f"this is no description of a model: {type(error).__name__} {str(error).splitlines()[0]}"
        raise Mistake(what, where=str(stated), fix=_AGAIN) from error


def _read_export(description: dict[str, Any], weights: Path, device: "Device") -> Exported:
    from benchmark.jobs.model import place
    from registry.net import Net
    from registry.weights.checkpoint import Checkpoint

    blank = blank_net(description)
    frontend, encoder = blank.views.frontend, blank.encoder
    if not weights.is_file():
        raise Mistake(f"the weights are missing: {weights.name}", where=str(weights.parent), fix=_AGAIN)
    try:
        Checkpoint.load(encoder, frontend, {}, weights)
    except Mistake as mistake:
        raise Mistake(mistake.what, where=mistake.where, fix=_AGAIN) from mistake
    config = embed.Config(
        encoder=components(description)[0],
        frontend=components(description)[1],
        weights=embed.WeightsKey.model_validate(description["weights"]),
        window_samples=description["window_samples"],
    )
    return Exported(
        name=description["name"],
        net=Net(frontend.to(device.device), place(encoder, device), blank.window_samples),
        config=config,
        samples=description["samples"],
        # The weights may have been trained on since they were exported, so the description's digest does not name them.
        digest=key_of(
            "embed",
            {**config.canonical(), "samples": description["samples"], "statistics": description["statistics"]},
            {"weights": file_digest(weights)},
        ),
        pretraining=description["pretraining"],
    )
