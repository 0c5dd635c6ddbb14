"""An encoder and its front end as one set of named tensors, which ``encoder.safetensors`` contains."""

from collections.abc import Mapping

from torch import Tensor

from registry.encoders import Encoder
from registry.frontends import Frontend

_OF_FRONTEND = "frontend/"  # prefix of its names; no tensor of an encoder has a slash in its name


def net_state(encoder: Encoder, frontend: Frontend) -> dict[str, Tensor]:
    """The encoder's tensors and, where the front end learns, the front end's as ``frontend/NAME``."""
    learnt = frontend.state_dict() if frontend.learns() else {}
    return {**encoder.state_dict(), **{_OF_FRONTEND + name: tensor for name, tensor in learnt.items()}}


def load_net(encoder: Encoder, frontend: Frontend, tensors: Mapping[str, Tensor]) -> None:
    """Puts tensors into an encoder and its front end, by the names that ``net_state`` gives them."""
    of_frontend = {name for name in tensors if name.startswith(_OF_FRONTEND)}
    encoder.load_state_dict({name: tensor for name, tensor in tensors.items() if name not in of_frontend})
    if frontend.learns():
        frontend.load_state_dict({name.removeprefix(_OF_FRONTEND): tensors[name] for name in of_frontend})
