"""bf16 on a CPU: what torch computes wrongly is not used."""

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from benchmark.jobs.model import choose_device
from registry.errors import Mistake
from registry.half_precision import require_right_convolutions


def test_this_processor_computes_convolutions_in_bf16_rightly() -> None:
    require_right_convolutions()


@pytest.mark.parametrize("name", ["conv1d", "conv2d"])
@pytest.mark.parametrize("wrong", [float("nan"), 0.0, 1.0])
def test_bf16_is_refused_where_a_convolution_is_wrong(name: str, wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    true = getattr(F, name)

    def convolve(x: Tensor, *arguments: Any, **settings: Any) -> Tensor:
        convolved: Tensor = true(x, *arguments, **settings)
        return torch.full_like(convolved, wrong) if x.dtype == torch.bfloat16 else convolved

    monkeypatch.setattr(F, name, convolve)
    choose_device("cpu", "fp32")
    with pytest.raises(Mistake, match="in bf16 wrongly"):
        choose_device("cpu", "bf16")


@pytest.mark.parametrize(("given", "kept"), [(None, "AVX512_CORE_BF16"), ("AVX2", "AVX2")])
def test_amx_is_left_out_unless_the_user_says_otherwise(given: str | None, kept: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ONEDNN_MAX_CPU_ISA"}
    environment |= {"ONEDNN_MAX_CPU_ISA": given} if given else {}
    code = "import os, audiobench, registry; print(os.environ['ONEDNN_MAX_CPU_ISA'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == kept
