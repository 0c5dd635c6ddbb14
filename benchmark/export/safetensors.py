"""Plain files: the weights, and what they are the weights of. ``audiobench.load`` reads the folder."""

import json
import shutil
from pathlib import Path

from benchmark.export.description import DESCRIPTION, described
from benchmark.export.exported import Exported
from benchmark.export.folder import WEIGHTS
from benchmark.store.store import write_json
from registry.errors import Mistake
from registry.lookup import plugin_file
from registry.weights.own import brought

NEEDS = "pip install audiobench"


def write(model: Exported, folder: Path) -> None:
    """Writes ``encoder.safetensors``, with the names that ``registry.net.net_state`` gives, and ``audiobench.json``."""
    from registry.net import net_state
    from registry.tensors import write_tensors

    require_made_here(model)
    write_tensors(folder / WEIGHTS, net_state(model.net.encoder, model.net.views.frontend))
    write_json(folder / DESCRIPTION, described(model))
    for path in plugin_files(model):  # a component's version names the content of its file, so no other file will do
        shutil.copyfile(path, folder / path.name)


def snippet(model: Exported) -> str:
    """Loads the folder by audiobench."""
    names = [path.name for path in plugin_files(model)]
    plugins = f", plugins={json.dumps(names)}" if names else ""
    return f'import audiobench, torch\n\nz = audiobench.load("."{plugins})(torch.from_numpy(wave))\n'


def plugin_files(model: Exported) -> list[Path]:
    """The plugin files that the model's components stand in."""
    files = {plugin_file(type(module)) for module in model.net.modules()}
    return sorted(path for path in files if path)


def require_made_here(model: Exported) -> None:
    """Refuses a model that somebody else made: its weights are theirs to give, and it is in a file already."""
    encoder = model.config.encoder
    made_elsewhere = brought(encoder.component)
    if made_elsewhere is None:
        return
    name = made_elsewhere.file_of(encoder.settings)
    raise Mistake(
        f"{model.name} is a model that others made: it is in a file of theirs, which is not ours to copy",
        where=name or f"encoder: {encoder.name}",
        fix=f"use it where it is: audiobench.load, audiobench embed, or encoder: {encoder.name} in another suite",
    )
