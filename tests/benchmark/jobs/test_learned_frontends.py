"""A front end that learns: it trains with every method and in fine-tuning, and its weights are kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmark.jobs.embedding import ClipEmbeddings, load_embeddings
from benchmark.jobs.loop import pretrain
from benchmark.jobs.model import build_encoder, choose_device
from benchmark.jobs.packing import open_pack
from benchmark.progress import Progress
from registry.checkpoint import open_checkpoint
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend
from registry.lookup import AUGMENTATIONS, ENCODERS, METHODS, PROTOCOLS, load_plugin
from registry.methods import Method
from registry.net import load_net, net_state
from registry.protocols import Labels, Model, Split, Subject
from registry.seeding import seed_everything
from registry.tensors import read_tensors, write_tensors
from registry.training import Pretraining
from registry.views import Views
from tests.benchmark.jobs.test_kept_epoch import Scripted
from tests.benchmark.jobs.test_loop import CORPUS, Interrupts, same
from tests.conftest import TINY, Answer
from tests.learned_bank import LearnedBank
from tests.registry.test_a_minute_of_training import TRIALS

PLUGIN = Path(__file__).parents[2] / "learned_bank.py"
CPU = choose_device("cpu", "fp32")
SPECTRAL = {name: trial for name, trial in TRIALS.items() if trial.encoder["name"] == "cnn10"}
BUDGET = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "optimizer": "adamw"}


def net(width: int = 2) -> tuple[Frontend, Encoder]:
    seed_everything(0, "weights")
    bank = LearnedBank(LearnedBank.Config())
    return bank, build_encoder(ENCODERS.choose({"name": "cnn10", "width": width}), bank)


def build(name: str, **settings: Any) -> Method:
    """A method fed by a front end that learns, with an augmentation on either side of it."""
    frontend, encoder = net()
    around = [AUGMENTATIONS.choose(augmentation).build() for augmentation in ("mix", "frequency-mask")]
    chosen = METHODS.choose({"name": name.split("/")[0], **settings})
    return chosen.build(encoder, Views(frontend, around), CORPUS)


def bank_of(method: Method) -> Tensor:
    assert isinstance(method.views.frontend, LearnedBank)
    return method.views.frontend.bank.weight


@pytest.mark.parametrize("chunk", [None, 4])
@pytest.mark.parametrize("name", SPECTRAL)
def test_gradients_of_every_method_reach_the_front_end(name: str, chunk: int | None) -> None:
    settings = SPECTRAL[name].settings
    fitting: dict[str, Any] = {setting: 8 for setting in ("clusters", "queue_size") if setting in settings}
    if "base" in settings:
        fitting["base"] = {**settings["base"], **({"queue_size": 8} if "queue_size" in settings["base"] else {})}
    method = build(name, **{**settings, **fitting})
    if chunk and method.on_frames:
        pytest.skip("gradients are cached for embeddings alone")
    method.chunk = chunk
    method.before_epoch()
    loss, _ = method(torch.randn(8, method.windows, 32000) / 4, torch.arange(8))
    loss.backward()
    gradient = bank_of(method).grad
    assert gradient is not None
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_gradients_reach_the_front_end_of_a_format() -> None:
    load_plugin(PLUGIN)
    small = {"name": "cnn10", "width": 2}
    branches = {name: {"frontend": front, "encoder": small} for name, front in (("a", "logmel"), ("b", "learned-bank"))}
    frontend = make_frontend("waveform")
    encoder = build_encoder(ENCODERS.choose({"name": "multiformat", "branches": branches}), frontend)
    chosen = METHODS.choose({"name": "multiformat", "dim": 8, "augment": {"b": ["frequency-mask"]}})
    method: Any = chosen.build(encoder, Views(frontend), CORPUS)
    method(torch.randn(4, 2, 8000) / 4, torch.arange(4))[0].backward()
    assert method.encoder.views["b"].frontend.bank.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", [n for n in AUGMENTATIONS.names() if AUGMENTATIONS.find(n).domain == "spectrogram"])
def test_gradients_pass_through_every_augmentation_of_spectrograms(name: str) -> None:
    frontend, _ = net()
    views = Views(frontend, [AUGMENTATIONS.choose(name).build()])
    views(torch.randn(4, 16000) / 4).square().sum().backward()
    assert isinstance(frontend, LearnedBank)
    assert frontend.bank.weight.grad is not None
    assert frontend.bank.weight.grad.abs().sum() > 0


def test_of_a_front_end_without_parameters_nothing_is_recorded() -> None:
    views = Views(make_frontend("logmel"))
    assert not views(torch.randn(2, 8000)).requires_grad


@pytest.mark.parametrize("name", ["moco", "byol", "npid"])
def test_pretraining_trains_the_front_end(name: str, tmp_path: Path) -> None:
    settings = {"moco": {"queue_size": 16, "norm_groups": 2}, "byol": {"hidden": 16}, "npid": {"negatives": 8}}[name]
    method = build(name, dim=8, **settings)
    before = {key: tensor.clone() for key, tensor in method.views.frontend.state_dict().items()}
    training = Pretraining.model_validate(BUDGET)
    pretrain(method, CORPUS.recordings, training, 4000, 0, CPU, tmp_path / "checkpoint", Progress())
    for key, tensor in method.views.frontend.state_dict().items():
        assert not torch.equal(tensor, before[key]), key


def test_the_best_epochs_front_end_is_kept_through_an_interruption(tmp_path: Path) -> None:
    answers, best = [0.2, 0.5, 0.3], 2
    training = Pretraining.model_validate({**BUDGET, "epochs": 3, "keep": "best"})
    given = (CORPUS.recordings, training, 2900, 0, CPU)
    kept: dict[int, Tensor] = {}

    class Remembering(Scripted):
        def figure(self, method: Method) -> float:
            kept[method.epoch + 1] = bank_of(method).detach().clone()
            return super().figure(method)

    def made() -> Method:
        return build("moco", dim=8, queue_size=16, norm_groups=2)

    unbroken, resumed = made(), made()
    pretrain(unbroken, *given, tmp_path / "a", Progress(), Remembering(answers))
    assert torch.equal(bank_of(unbroken), kept[best])
    with pytest.raises(KeyboardInterrupt):
        pretrain(made(), *given, tmp_path / "b", Interrupts(12), Scripted(answers))
    pretrain(resumed, *given, tmp_path / "b", Progress(), Scripted(answers))
    assert same(unbroken, resumed)


def test_a_checkpoint_holds_the_front_end_and_one_without_it_is_refused(tmp_path: Path) -> None:
    frontend, encoder = net()
    path = tmp_path / "encoder.safetensors"
    write_tensors(path, net_state(encoder, frontend))
    other, empty = net()
    nn.init.zeros_(other.bank.weight)  # type: ignore[arg-type]
    load_net(empty, other, open_checkpoint(path, empty, other).tensors)
    assert all(
        torch.equal(a, b) for a, b in zip(frontend.state_dict().values(), other.state_dict().values(), strict=True)
    )
    logmel = make_frontend({"name": "logmel", "n_mels": 32})
    with pytest.raises(Mistake, match="surplus frontend/"):
        open_checkpoint(path, encoder, logmel)
    write_tensors(path, net_state(encoder, logmel))
    assert set(read_tensors(path)[0]) == set(encoder.state_dict())
    with pytest.raises(Mistake, match=r"missing frontend/bank\.weight"):
        open_checkpoint(path, encoder, frontend)


def test_finetuning_trains_the_front_end_anew_in_every_fold() -> None:
    frontend, first = net()
    start = {name: tensor.clone() for name, tensor in net_state(first, frontend).items()}
    views = Views(frontend, [AUGMENTATIONS.choose("gain").build()])
    begun, ended = [], []

    def encoder() -> Encoder:
        ended.append(views.frontend.state_dict()["bank.weight"].clone())
        _, fresh = net()
        load_net(fresh, views.frontend, start)
        begun.append(fresh)
        return fresh

    clips = torch.arange(40)
    split = Split(Labels(clips % 4, clips % 5, clips, 4))
    subject = Subject(None, CORPUS.recordings, CPU.device, CPU.autocast, Model(encoder, views, Views(frontend), 4000))
    chosen = PROTOCOLS.choose({"name": "finetune", "epochs": 2, "batch_size": 16})

    def scores(folds: list[int]) -> list[Any]:
        return [outcome.scores for outcome in chosen.build().evaluate(subject, split, folds, 0, lambda *told: None)]

    both, second = scores([0, 1]), scores([1])
    assert (both[1] == second[0]).all()  # nothing of the first fold's training is left in it
    for trained in ended[1:]:
        assert not torch.equal(trained, start["frontend/bank.weight"])


MEASURED = """
from registry.frontends import Normalisation
from tests.learned_bank import LearnedBank
class Measured(LearnedBank):
    def __init__(self, config):
        super().__init__(config)
        self.normalisation = Normalisation("dataset", 0.0, 1.0)
"""


def test_statistics_from_before_it_has_learnt_are_refused(tmp_path: Path) -> None:
    (tmp_path / "measured.py").write_text(MEASURED)
    load_plugin(tmp_path / "measured.py")
    with pytest.raises(Mistake, match="measured learns, and normalise: dataset"):
        make_frontend("measured")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    text = TINY.replace(
        "frontend: {name: logmel, n_fft: 512, win_length: 512, hop_length: 320, n_mels: 32}", "frontend: learned-bank"
    )
    text = text.replace("protocols: [freeze, knn]", "protocols: [finetune, knn]")
    path.write_text(text.replace("name: tiny\n", f"name: tiny\nplugins: [{PLUGIN}]\n"))
    return path


def test_a_suite_keeps_what_a_front_end_has_learnt(
    suite: Path, audiobench: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = []

    def model(*given: Any) -> Model:
        models.append(Model(*given))
        return models[-1]

    monkeypatch.setattr("registry.protocols.Model", model)
    for runs, protocol in (("a", "knn"), ("b", "knn"), ("a", "finetune")):
        answer = audiobench("run", suite, "--entry", "moco", "--protocol", protocol, "--runs", tmp_path / runs)
        assert answer.status == 0, answer.err
    paths = sorted(tmp_path.glob("*/pretrain/*/encoder.safetensors"))
    assert [path.parts[-4] for path in paths] == ["a", "b"]
    assert paths[0].read_bytes() == paths[1].read_bytes()  # its filters are drawn by the seed
    (pack,) = (tmp_path / "a" / "pack").iterdir()
    (embedded,) = (tmp_path / "a" / "embed").iterdir()
    frontend, encoder = net(width=4)
    kept = read_tensors(paths[0])[0]
    load_net(encoder, frontend, kept)
    clips = open_pack(pack)
    again = ClipEmbeddings(Views(frontend), encoder, clips.recordings, clips.ids, 8000, CPU, Progress()).in_memory()
    torch.testing.assert_close(again.window_WD, load_embeddings(embedded / "embeddings.safetensors").window_WD)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in net_state(encoder, frontend).items())
    for fine_tuned in models:  # each fold's job has one, which begins with what was learnt
        again_encoder, shared = fine_tuned.encoder(), fine_tuned.views.frontend
        assert fine_tuned.plain_views.frontend is shared
        assert all(torch.equal(tensor, kept[name]) for name, tensor in net_state(again_encoder, shared).items())
    assert models
