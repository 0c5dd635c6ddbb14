"""The form ``hear``: a module with the API of HEAR 2021, which also has X-ARES' class, and needs torch alone."""

from pathlib import Path

from benchmark.export import beside
from benchmark.export.exported import Exported
from benchmark.export.pt2 import FILE, save
from benchmark.export.window import WindowWithFrames
from benchmark.store.files import file_digest, write_text

NEEDS = "pip install torch"


def write(model: Exported, folder: Path) -> None:
    """Writes ``hear_model.py``, and ``model.pt2``, the graph of one window, which also gives the encoder's frames.

    Raises:
        Mistake: if the model has no graph of torch, or the file does not give torch's embeddings.
    """
    save(model, WindowWithFrames(model), folder)
    code = beside.path("hear_model").read_text(encoding="utf-8")
    # audiobench knows a class by its code, and so the code must differ where the weights do.
    write_text(folder / "hear_model.py", f"{code}\n# SHA-256 of model.pt2: {file_digest(folder / FILE)}\n")


def snippet(model: Exported) -> str:
    """Python that embeds with the folder."""
    return (
        "import hear_model\nimport torch\n\n"
        "z = hear_model.get_scene_embeddings(torch.from_numpy(wave), hear_model.load_model())\n"
    )
