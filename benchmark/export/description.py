"""What ``audiobench.json`` states of an exported model: all but the weights."""

from typing import TYPE_CHECKING, Any

from benchmark.export.exported import Exported

if TYPE_CHECKING:
    from registry.net import Net

SCHEMA = 1
DESCRIPTION = "audiobench.json"


def described(model: Exported) -> dict[str, Any]:
    """The content of ``audiobench.json``, plain data: with ``blank_net`` it makes the net again, without its weights."""
    raise NotImplementedError


def blank_net(description: dict[str, Any]) -> "Net":
    """The net that a description names, with the front end's statistics, before its weights are loaded."""
    raise NotImplementedError
