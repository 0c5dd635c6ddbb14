"""Optimisers, as the sources use them."""

import torch
from torch import nn
from torch.optim import Optimizer

from registry.training import Training


def make_optimizer(module: nn.Module, training: Training) -> Optimizer:
    """The optimiser over a module's trainable parameters; biases and norms are not decayed, nor adapted by LARS."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=training.learning_rate, momentum=training.momentum)
    if training.optimizer == "lars":
        from timm.optim.lars import Lars  # takes seconds: only where it is asked for

        groups[0]["always_adapt"] = True  # timm's does not adapt what it does not decay, which groups[1] relies on
        return Lars(groups, lr=training.learning_rate, momentum=training.momentum)
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=training.learning_rate)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Sets the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
