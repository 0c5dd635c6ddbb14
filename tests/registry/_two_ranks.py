"""A process of two that train methods together: ``python -m tests.registry._two_ranks RANK FILE CASES``.

It trains every case for three steps, together with the other process and then alone, and writes as JSON how far the two
differ, and its share of the encoder's work. All is computed in float64: what rounding leaves is then far below any
mistake, and no choice hangs on it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign] # methods turn embeddings into at least float32

from registry.contracts import Beside  # noqa: E402
from registry.contracts.methods import Specimen, _forward  # noqa: E402
from registry.frontends import Frontend  # noqa: E402
from registry.lookup import AUGMENTATIONS, ENCODERS, FRONTENDS, METHODS, load_plugin  # noqa: E402
from registry.methods import Method  # noqa: E402
from registry.ranks import ALONE, Ranks  # noqa: E402

STEPS = 3
_ENCODER = {"name": "cnn6", "width": 2, "dropout": 0.3}  # batch norm, and dropout that differs from clip to clip
_TINY = 1e-3  # share of the largest tensor: differences of smaller ones are measured by it, as some are all rounding


def method_of(case: dict[str, Any]) -> Method:
    """The method of a case at its beginning, with an augmentation on either side of its front end."""
    beside = Beside(
        frontend=FRONTENDS.choose(case["frontend"]) if "frontend" in case else None,
        encoder=ENCODERS.choose(case.get("encoder", _ENCODER)),
    )
    specimen = Specimen(METHODS, case["method"], beside)
    specimen.prepare()
    method = specimen.begun().double()
    method.views.frontend.register_forward_pre_hook(lambda frontend, given: (given[0].double(),))
    method.chunk = case.get("chunk")
    method.views.on_waveform.append(AUGMENTATIONS.choose("mix").build())
    if method.views.frontend.gives == "spectrogram":
        method.views.on_spectrogram.append(AUGMENTATIONS.choose("time-mask").build())
    return method


def trained(case: dict[str, Any], ranks: Ranks) -> tuple[int, dict[str, dict[str, Tensor]]]:
    """How many rows the encoder got; losses, the last gradients, and parameters and buffers after the steps."""
    method = method_of(case)
    method.ranks, rows = ranks, [0]

    def count(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        rows[0] += len(given[0])

    inside = {m for frontend in method.encoder.modules() if isinstance(frontend, Frontend) for m in frontend.modules()}
    for module in method.encoder.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d) and module not in inside:
            module.register_forward_pre_hook(count)
    optimizer = torch.optim.SGD(method.parameters(), 1e-3)
    losses = {}
    for step in range(STEPS):
        loss, _ = _forward(method, step)
        optimizer.zero_grad()
        loss.backward()
        ranks.average(method.parameters())
        optimizer.step()
        method.after_step()
        losses[f"{step}"] = loss.detach()
    gradients = {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}
    return rows[0], {
        "loss": losses,
        "encoder": {name: g for name, g in gradients.items() if name.startswith("encoder.")},
        "frontend": {name: g for name, g in gradients.items() if name.startswith("views.")},
        "head": {name: g for name, g in gradients.items() if not name.startswith(("encoder.", "views."))},
        "buffers": dict(method.named_buffers()),
        "parameters": {name: p.detach() for name, p in method.named_parameters()},
    }


def apart(two: dict[str, Tensor], one: dict[str, Tensor]) -> float:
    """The largest relative difference of tensors by name; infinite if the names differ."""
    if two.keys() != one.keys():
        return float("inf")
    largest = max((tensor.double().norm().item() for tensor in one.values()), default=0.0)
    differences = [
        (two[name].double() - tensor.double()).norm().item() / max(tensor.double().norm().item(), _TINY * largest)
        for name, tensor in one.items()
        if two[name].double().norm().item() or tensor.double().norm().item()
    ]
    return max(differences, default=0.0)


def main(rank: int, file: Path, cases: dict[str, dict[str, Any]]) -> None:
    load_plugin(Path(__file__).parents[1] / "learned_bank.py")
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    found = {}
    for name, case in cases.items():
        (rows_of_two, two), (rows, one) = trained(case, Ranks(rank, 2)), trained(case, ALONE)
        found[name] = {part: apart(two[part], one[part]) for part in one} | {"work": rows_of_two / rows}
    file.with_suffix(f".{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
