"""The names of torchaudio that are used here, or a Mistake that says why it does not load with the installed torch.

torchaudio 2.11, its last release, is compiled against torch's stable interface, and loads with later versions of
torch. It does not load with a torch that was built for another version of CUDA (its wheel on PyPI is for CUDA 13.0).
This wheel also does not load with a torch that was built for the CPU alone, because it needs torch's CUDA library.
Components import from here where they use torchaudio, so that all others work without it.
"""

from importlib.metadata import version

from registry.errors import Mistake

try:
    from torchaudio import pipelines
    from torchaudio.compliance.kaldi import get_mel_banks
    from torchaudio.functional import add_noise, create_dct
    from torchaudio.transforms import MelSpectrogram, Spectrogram
except (ImportError, OSError, RuntimeError) as error:
    import torch

    raise Mistake(
        f"torchaudio {version('torchaudio')} does not load beside torch {torch.__version__}: "
        f"{(str(error).strip() or type(error).__name__).splitlines()[0]}",
        fix="install both from one place: both from PyPI with --constraint constraints.txt, or both of PyTorch's own "
        "builds for the CPU, or for one version of CUDA",
    ) from error

__all__ = ["MelSpectrogram", "Spectrogram", "add_noise", "create_dct", "get_mel_banks", "pipelines"]
