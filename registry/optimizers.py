"""Optimisers, as the sources use them."""

import torch
from torch import nn
from torch.optim import Optimizer

from registry.training import Training


def make_optimizer(module: nn.Module, training: Training) -> Optimizer:
    """The optimiser of a module's trainable parameters: one group of weights, one of biases and norms.

    ``lars`` neither decays nor adapts biases and norms (SimCLR, VICReg, Barlow Twins); ``larc`` decays and adapts
    everything (apex's version, used by SwAV and DeepCluster v2). Both divide by ``|g| + decay |w|``, as apex does;
    SimCLR takes the norm of the sum. Where a gradient is exactly zero, apex leaves out the decay; timm's optimiser,
    which is used here, does not.

    On a GPU torch's own optimisers do a step in one kernel.
    """
    trainable = [p for p in module.parameters() if p.requires_grad]
    adapting, everything = training.optimizer in ("lars", "larc"), training.optimizer == "larc"
    decay_norms = everything or (training.decay_norms and not adapting)
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": training.weight_decay, "share": 1.0},
        {
            "params": [p for p in trainable if p.ndim <= 1],
            "weight_decay": training.weight_decay if decay_norms else 0.0,
            "share": training.norm_rate,
        },
    ]
    if adapting:
        from timm.optim.lars import Lars  # the import takes seconds

        for group, adapted in zip(groups, (True, everything), strict=True):
            group["always_adapt"] = adapted  # else timm adapts the groups that it decays
        return Lars(groups, lr=training.learning_rate, momentum=training.momentum)
    fused = all(p.device.type == "cuda" for p in trainable) or None  # None: as torch chooses
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=training.learning_rate, momentum=training.momentum, fused=fused)
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=training.learning_rate, fused=fused)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Sets the learning rate, and that of biases and norms in proportion."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["share"]
