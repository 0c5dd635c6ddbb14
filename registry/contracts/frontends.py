"""The checks of a front end, on clips of one second: noise, silence, and sound at full scale."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor

from registry import contracts
from registry.contracts import Broken, NotApplicable
from registry.contracts._nets import noise, require_equal, with_statistics
from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend


class Specimen(contracts.Specimen[Frontend]):
    """A front end in eval mode, with invented statistics if it needs measured ones."""

    frontend: Frontend

    def prepare(self) -> None:
        torch.manual_seed(0)
        self.frontend = with_statistics(make_frontend(self.choice)).eval()

    def clips(self, count: int) -> Tensor:
        """Waveforms ``[count, T]``."""
        return noise(count, self.component.rate_of(self.choice.settings))


def rate_is_its_settings(specimen: Specimen) -> str:
    """Its sample rate is a whole number of Hz, and the one that its settings tell before it is made."""
    told, rate = specimen.component.rate_of(specimen.choice.settings), specimen.frontend.sample_rate
    if type(rate) is not int or rate < 1 or rate != told:
        raise Broken(f"{told} Hz, as rate_of says", repr(rate), "set self.sample_rate = config.sample_rate")
    return f"{rate} Hz"


def output_has_its_shape(specimen: Specimen) -> str:
    """It gives what it says: ``[B, C, F, N]``, C its channels and F its bins, or ``[B, 1, T]`` and bins of 0."""
    frontend, wave_BT = specimen.frontend, specimen.clips(3)
    shape = list(frontend(wave_BT).shape)
    if frontend.gives == "waveform":
        expected, right = f"[3, 1, {wave_BT.shape[1]}], 1 channel, 0 bins", shape == [3, 1, wave_BT.shape[1]]
        right = right and (frontend.channels, frontend.bins) == (1, 0)
    else:
        expected = f"[3, {frontend.channels}, {frontend.bins}, N]"
        right = len(shape) == 4 and shape[:3] == [3, frontend.channels, frontend.bins] and frontend.bins > 0
    if not right:
        given = f"{shape}, {frontend.channels} channels, {frontend.bins} bins"
        raise Broken(expected, given, "set self.channels and self.bins to what forward gives")
    return f"{shape} of 3 clips of a second"


def computes_in_full_precision(specimen: Specimen) -> str:
    """It gives float32, and the same values inside autocast as outside."""
    expected = specimen.frontend(specimen.clips(2))
    with torch.autocast("cpu", torch.bfloat16):
        inside = specimen.frontend(specimen.clips(2))
    fix = "compute under: with torch.autocast(wave_BT.device.type, enabled=False)"
    if expected.dtype != torch.float32 or inside.dtype != torch.float32:
        raise Broken("float32", f"{expected.dtype}, and inside autocast {inside.dtype}", fix)
    return require_equal(inside, expected, fix)


def hears_alone_as_in_a_batch(specimen: Specimen) -> str:
    """The same clip gives the same alone and in a batch, and twice."""
    together = specimen.frontend(specimen.clips(3))
    alone = torch.cat([specimen.frontend(wave_T[None]) for wave_T in specimen.clips(3)])
    return require_equal(alone, together, "normalise each clip by itself, and draw nothing at random")


def leaves_the_waveform(specimen: Specimen) -> None:
    """What is given stays as it is."""
    wave_BT = specimen.clips(2)
    specimen.frontend(wave_BT)
    if not torch.equal(wave_BT, specimen.clips(2)):
        raise Broken("the waveform as it was", "another", "change no tensor in place that was given")


def is_finite(specimen: Specimen) -> None:
    """Silence and sound at full scale give finite values."""
    wave_BT = specimen.clips(2)
    for name, wave in {"silence": torch.zeros_like(wave_BT), "full scale": wave_BT.sign()}.items():
        lost = int((~specimen.frontend(wave).isfinite()).sum())
        if lost:
            raise Broken(
                f"finite values of {name}", f"{lost} that are not", "cut what goes into a logarithm at a floor"
            )


def passes_gradients(specimen: Specimen) -> str:
    """A gradient reaches the waveform, and its own parameters if it has some, and is finite."""
    frontend, wave_BT = deepcopy(specimen.frontend), specimen.clips(2).requires_grad_()
    x = frontend(wave_BT)
    if not x.requires_grad:
        raise Broken("a gradient", "none", "leave torch.no_grad and numpy out of forward")
    x.square().sum().backward()
    reached = {"the waveform": wave_BT, **dict(frontend.named_parameters())}
    bare = [name for name, tensor in reached.items() if tensor.grad is None or not tensor.grad.any()]
    if bare:
        raise Broken(
            "gradients that are not 0", f"none of {', '.join(bare)}", "leave detach out, and what nothing needs"
        )
    wild = [name for name, tensor in reached.items() if tensor.grad is None or not tensor.grad.isfinite().all()]
    if wild:
        raise Broken("finite gradients", f"others of {', '.join(wild)}", "guard roots and logarithms")
    return f"{sum(tensor.numel() for tensor in frontend.parameters()):,} parameters"


def learns_into_its_state(specimen: Specimen) -> str:
    """Another copy of a front end that learns, with its ``state_dict``, gives the same."""
    if not specimen.frontend.learns():
        raise NotApplicable("it has no parameters")
    torch.manual_seed(1)
    other = with_statistics(make_frontend(specimen.choice)).eval()
    other.load_state_dict(specimen.frontend.state_dict())
    fix = "keep in parameters and buffers whatever the output depends on"
    return require_equal(other(specimen.clips(2)), specimen.frontend(specimen.clips(2)), fix)


def moves_whole(specimen: Specimen) -> str:
    """Moved to another device, it takes along what it computes with, and works there: on ``meta``, as ``plan`` does."""
    left = [
        f"{type(module).__name__}.{name}"
        for module in specimen.frontend.modules()
        for name, value in vars(module).items()
        if isinstance(value, Tensor)
        or (isinstance(value, list | tuple) and any(isinstance(one, Tensor) for one in value))
    ]
    if left:
        raise Broken("tensors that move along", f"others: {', '.join(left)}", "hold them by register_buffer")
    with torch.device("meta"):
        moved = with_statistics(make_frontend(specimen.choice)).eval()
        try:
            x = moved(torch.empty(specimen.clips(2).shape))
        except NotImplementedError as error:
            raise NotApplicable(f"torch cannot: {str(error).splitlines()[0]}") from error
    return f"{list(x.shape)}"


def refuses_what_is_too_short(specimen: Specimen) -> str:
    """One sample is heard, or refused by a message."""
    return _heard_or_refused(lambda: specimen.frontend(specimen.clips(2)[:, :1]))


def _heard_or_refused(act: Callable[[], object]) -> str:
    try:
        act()
    except Mistake as mistake:
        return f"refused: {mistake.what}"
    except Exception as error:
        fix = "raise a Mistake that says how many samples it needs"
        raise Broken("values, or a Mistake", f"{type(error).__name__}", fix) from error
    return "heard"
