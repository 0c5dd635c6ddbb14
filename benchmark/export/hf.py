"""A folder for Hugging Face's hub, which ``transformers.AutoModel`` reads.

Not ``huggingface_hub.PyTorchModelHubMixin``: it is read by the class that wrote it, which the reader must know and
import. ``AutoModel`` needs the folder's name alone, says which package is missing, and Trainer and feature extractors
work with what it gives.
"""

from importlib.resources import files
from pathlib import Path

from benchmark.export.description import described
from benchmark.export.exported import Exported
from benchmark.export.folder import HF_CONFIG, HF_FIELD, HF_WEIGHTS
from benchmark.export.safetensors import plugin_files, require_made_here
from benchmark.store.files import write_text
from benchmark.store.store import write_json
from registry.errors import Mistake

NEEDS = "pip install 'audiobench[transformers]'"
_CODE = "modeling_audiobench"


def write(model: Exported, folder: Path) -> None:
    """Writes the weights, the code of the model, and the settings of model and feature extractor."""
    from registry.tensors import write_for_others

    require_made_here(model)
    _require_installed(model)
    weights = {f"model.{name}": tensor for name, tensor in model.net.state_dict().items()}
    write_for_others(folder / HF_WEIGHTS, weights)
    config = {
        "architectures": ["AudiobenchModel"],
        "auto_map": {"AutoConfig": f"{_CODE}.AudiobenchConfig", "AutoModel": f"{_CODE}.AudiobenchModel"},
        "model_type": "audiobench",
        "dtype": "float32",
        "hidden_size": model.net.embedding_dim,
        HF_FIELD: described(model),
    }
    write_json(folder / HF_CONFIG, config)
    write_json(folder / "preprocessor_config.json", _extractor(model))
    # It is a text here: it runs in transformers, and uses audiobench as any user does.
    write_text(folder / f"{_CODE}.py", files("audiobench").joinpath(f"{_CODE}.py").read_text(encoding="utf-8"))


def snippet(model: Exported) -> str:
    """Loads the folder by transformers, which asks for the consent to run the code in it."""
    return (
        "import torch, transformers\n\n"
        'model = transformers.AutoModel.from_pretrained(".", trust_remote_code=True)\n'
        "z = model(torch.from_numpy(wave)).pooler_output\n"
    )


def _require_installed(model: Exported) -> None:
    """Refuses components of plugin files: transformers would not find them."""
    for path in plugin_files(model):
        raise Mistake(
            f"a component of {model.name} stands in a plugin's file, which transformers cannot load",
            where=str(path),
            fix="make it an entry point of a package (audiobench.encoders, ...), or use --format safetensors",
        )


def _extractor(model: Exported) -> dict[str, object]:
    """Settings of transformers' extractor of plain waveforms: it pads a batch, and says where."""
    return {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "sampling_rate": model.net.sample_rate,
        "padding_side": "right",
        "padding_value": 0.0,
        "do_normalize": False,
        "return_attention_mask": True,
    }
