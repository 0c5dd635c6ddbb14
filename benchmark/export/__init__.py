"""The forms in which a model leaves the benchmark, one in each file, found by its name.

Each file has ``NEEDS``, ``write`` and ``snippet``: see ``benchmark.export.forms.Form``.
"""

from typing import Literal

FormName = Literal["safetensors", "pt2", "onnx", "hear", "hf"]
