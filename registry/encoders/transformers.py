"""A model of Hugging Face's transformers."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders._brought import needs
from registry.encoders._families import FAMILIES, Family
from registry.encoders._unpadded import Unpadded, require_layer
from registry.errors import Mistake
from registry.hub import hub_snapshot, is_snapshot
from registry.settings import Outside, Settings
from registry.standing import Objection, Standing

_LOCAL = {"local_files_only": True, "trust_remote_code": False}  # without the second it asks the terminal
_UNUSED = "masked_spec_embed"  # of SpecAugment: many published checkpoints lack it


class Transformers(Unpadded["Transformers.Config"]):
    """A model of Hugging Face's transformers with its own feature extractor, from a folder or from the hub's cache.

    wav2vec 2.0, HuBERT, WavLM, Data2Vec (audio), AST, Whisper's encoder, CLAP's audio tower. AST, Whisper and CLAP take
    10 to 30 s: longer clips go through them in pieces. Trailing zeros are taken as padding, as ``Unpadded`` says; what
    the feature extractor fills up (AST and Whisper with silence) is in no frame, except that CLAP's repeats a clip.

    Feature extractors compute on the CPU. SpecAugment and layer drop of the model's configuration are off in training:
    augmentation is the suite's. The hub is asked only for a model that is neither a folder nor in its cache.
    """

    source: ClassVar[str] = "Hugging Face transformers"
    is_folder = True

    class Config(Settings):
        model: Outside[str] = Field("", description="folder of save_pretrained, or the model's ID at the hub")
        revision: Outside[str] = Field("", description="branch, tag or commit at the hub; main by default")
        layer: int | None = Field(None, ge=0, description="hidden state to take; by default the model's last output")
        pool: Literal["mean", "first", "pooler"] = Field(
            "mean", description="mean of the frames; first token of each piece; the model's own pooler_output"
        )

    @classmethod
    def objections(cls, config: Config, standing: Standing) -> Iterable[Objection]:
        yield from super().objections(config, standing)
        if config.pool == "pooler" and config.layer is not None:
            yield Objection("layer", "the pooler takes the last layer, and layer names one", "leave one of them out")

    @classmethod
    def file_of(cls, config: Config) -> str:
        return config.model

    @classmethod
    def hub_folder(cls, config: Config) -> Path | None:
        return hub_snapshot(config.model, config.revision)

    @classmethod
    def own_rate(cls, config: Config, path: Path | None) -> int:
        folder = _required(path)
        if config.revision and not is_snapshot(folder):
            what = "a revision is of a model at the hub, and this one is a folder"
            raise Mistake(what, where=str(folder), fix="leave revision out")
        _family(folder)
        return int(_extractor(folder).sampling_rate)

    def open(self, path: Path | None) -> None:
        folder = _required(path)
        self.family = _family(folder)
        self.extractor = _extractor(folder)
        self.net: Any = _tower(folder, self.family.tower)
        self.shortest = self.family.shortest(self.net, self.extractor)
        self.longest = self.family.longest(self.net, self.extractor)

    def heard(self, wave_BT: Tensor) -> Tensor:
        rate = self.extractor.sampling_rate
        clips = list(wave_BT.detach().float().cpu().numpy())
        with torch.autocast("cpu", enabled=False):  # some compute in torch, and go on in NumPy
            features = self.extractor(clips, sampling_rate=rate, return_tensors="pt")
        given = {self.net.main_input_name: features[self.net.main_input_name].float().to(wave_BT.device)}
        if "is_longer" in features:  # CLAP's fusion of long clips, which a feature extractor turns on by chance
            given["is_longer"] = torch.zeros_like(features["is_longer"], dtype=torch.bool, device=wave_BT.device)
        try:
            output = self.net(**given, output_hidden_states=self.config.layer is not None)
        except (ValueError, RuntimeError) as error:
            told = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise Mistake(f"the model does not take what its feature extractor gives: {told[:200]}") from error
        return self._chosen(output, wave_BT.shape[1])

    def _chosen(self, output: Any, samples: int) -> Tensor:
        """The frames of the layer and pooling that the settings name."""
        if self.config.pool == "pooler":
            if getattr(output, "pooler_output", None) is None:
                raise Mistake("the model has no pooler_output", fix="pool: mean")
            pooled_BD: Tensor = output.pooler_output
            return pooled_BD.unsqueeze(1)
        hidden: Tensor = output.last_hidden_state
        if self.config.layer is not None:
            require_layer(self.config.layer, 0, len(output.hidden_states) - 1)
            hidden = output.hidden_states[self.config.layer]
        if self.config.pool == "mean":
            return self.family.frames(self.net, self.extractor, hidden, samples)
        if hidden.ndim != 3:
            raise Mistake("the model has maps, and no first token", fix="pool: mean")
        return hidden[:, :1]


def _required(path: Path | None) -> Path:
    if path is None:
        raise Mistake("the encoder transformers names no model", fix="add model: FOLDER, or an ID at the hub")
    return path


def _family(folder: Path) -> Family:
    """How models of a folder's kind are called.

    Raises:
        Mistake: without transformers, a configuration, or audio.
    """
    with _quiet(), _readable(folder, "configuration"):
        kind = _library().AutoConfig.from_pretrained(folder, **_LOCAL).model_type
    if kind not in FAMILIES:
        raise Mistake(
            f"the model is a {kind}, and no audio model that is known here",
            where=str(folder),
            fix=f"known: {', '.join(FAMILIES)}; another goes in as a class: encoder: {{name: module, class: ...}}",
        )
    return FAMILIES[kind]


def _extractor(folder: Path) -> Any:
    with _quiet(), _readable(folder, "feature extractor"):
        return _library().AutoFeatureExtractor.from_pretrained(folder, **_LOCAL)


def _tower(folder: Path, tower: str) -> nn.Module:
    """The part of a model that hears, in eval mode, without SpecAugment and layer drop in training.

    Raises:
        Mistake: without weights, or without some of them, which would be random.
    """
    library = _library()
    with _quiet(), _readable(folder, "model"):
        config = library.AutoConfig.from_pretrained(folder, **_LOCAL)
        config.apply_spec_augment, config.layerdrop, config.encoder_layerdrop = False, 0.0, 0.0
        with torch.random.fork_rng():
            whole, told = library.AutoModel.from_pretrained(
                folder, config=config, dtype=torch.float32, output_loading_info=True, **_LOCAL
            )
    lacking = [name for name in told["missing_keys"] if name.startswith(tower) and not name.endswith(_UNUSED)]
    if lacking:
        shown = ", ".join(sorted(lacking)[:3])
        raise Mistake(f"the weights lack {len(lacking)} tensors: {shown}", where=str(folder), fix="name whole weights")
    part: nn.Module = getattr(whole, tower) if tower else whole
    return part.eval()


def _library() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise needs("transformers", "transformers") from error
    return transformers


@contextmanager
def _readable(folder: Path, what: str) -> Iterator[None]:
    """Raises a Mistake for whatever transformers makes of a folder without what is asked for."""
    try:
        yield
    except Mistake:
        raise
    except Exception as error:  # it raises OSError, ValueError, RuntimeError, and safetensors' own
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Mistake(
            f"no readable {what} of transformers: {told[:200]}",
            where=str(folder),
            fix="name a folder that save_pretrained of the model and of its feature extractor wrote",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps transformers from reporting on what it loads: progress, and heads that are left out."""
    logging = _library().utils.logging
    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
