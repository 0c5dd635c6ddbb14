"""Values too small for a CPU's speed, while heads train."""

from typing import Any

import pytest
import torch

from tests.registry.test_protocols import evaluate, make_embeddings, make_labels, subject


def are_flushed() -> bool:
    return not (torch.full((1,), 1e-38) * 0.01).any()


@pytest.mark.parametrize("before", [False, True])
def test_they_are_zero_in_every_step_and_as_before_afterwards(before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    labels, grad, found = make_labels(), torch.autograd.grad, []

    def watched(*of: Any) -> Any:
        found.append(are_flushed())
        return grad(*of)

    monkeypatch.setattr(torch.autograd, "grad", watched)
    torch.set_flush_denormal(before)
    try:
        evaluate("freeze", subject(make_embeddings(labels)), labels, [1], epochs=2)
        after = are_flushed()
    finally:
        torch.set_flush_denormal(False)
    assert found
    assert all(found)
    assert after == before
