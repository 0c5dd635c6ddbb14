"""Models in the cache of Hugging Face's hub."""

import re
import sys
from pathlib import Path

from registry.errors import Mistake
from registry.text import say

_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # or either in parts, with an index


def hub_snapshot(model: str, revision: str) -> Path | None:
    """The folder of the cache that holds a model; the hub is asked only for what is not there.

    Args:
        model: its ID at the hub.
        revision: a branch, tag or commit; empty for the main branch. The cache answers first, also where the hub's
            branch has moved on since.

    Returns:
        The folder, called as the commit; None if that is no ID.

    Raises:
        Mistake: if the model is not in the cache, and the hub does not give it.
    """
    if not _ID.fullmatch(model):
        return None
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = Path(snapshot_download(model, revision=revision or None, local_files_only=True))
        if (found / "config.json").is_file() and any(map(_are_weights, (path.name for path in found.iterdir()))):
            return found
    except LocalEntryNotFoundError:
        pass
    say(f"asking Hugging Face's hub for {model}", sys.stderr)
    try:
        info = HfApi().model_info(model, revision=revision or None, timeout=10)
        names = [one.rfilename for one in info.siblings or () if "/" not in one.rfilename]
        wanted = [name for name in names if name.endswith(".json") or name in _files_of_weights(names)]
        return Path(snapshot_download(model, revision=info.sha, allow_patterns=wanted))
    except Exception as error:  # of the network, of the hub, of its client: they have no common class
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        at = f" at {revision}" if revision else ""
        raise Mistake(
            f"{model}{at} is no folder, is not in the hub's cache, and the hub does not give it: {told}",
            fix=f"name a folder; where there is a network, hf download {model} --local-dir FOLDER makes one",
        ) from error


def is_snapshot(folder: Path) -> bool:
    """Whether a folder lies in the hub's cache and is called as the commit that it holds."""
    return folder.parent.name == "snapshots" and re.fullmatch(r"[0-9a-f]{40}", folder.name) is not None


def _are_weights(name: str) -> bool:
    return name in _WEIGHTS or name in [f"{whole}.index.json" for whole in _WEIGHTS]


def _files_of_weights(names: list[str]) -> list[str]:
    """The files of weights among those of a model: safetensors, or pickles where there are no others."""
    for ending in (".safetensors", ".bin"):
        stem = "model" if ending == ".safetensors" else "pytorch_model"
        found = [name for name in names if name == stem + ending or re.fullmatch(rf"{stem}-\d+-of-\d+{ending}", name)]
        if found:
            return found
    return []
