"""The checks of a protocol, on 120 clips in four folds and three classes; embeddings show the class, or nothing."""

import random
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from registry import contracts
from registry.audio import FULL_SCALE, Recordings
from registry.contracts import Broken, NotApplicable
from registry.contracts._judges import (
    classes_of,
    distance_from_chance,
    labels_for,
    require_better,
    require_chance,
    require_counts,
    require_names,
)
from registry.contracts._nets import frontend_before
from registry.encoders import Encoder
from registry.lookup import ENCODERS
from registry.metrics import Judge
from registry.protocols import Embeddings, Labels, Model, Outcome, Protocol, Split, Subject, Tell
from registry.standing import Standing
from registry.targets import Target, find_target
from registry.views import Views

_CLIPS, _FOLDS, _WINDOWS, _DIM = 120, (1, 2, 3, 4), 2, 8
_RATE, _SAMPLES = 16000, 4000
_NOISE = 0.1  # of embeddings around their class
_TARGETS = ("one-label", "number", "several-labels")  # the first one to which the protocol does not object is used
_EQUAL = 1e-4


class Specimen(contracts.Specimen[Protocol]):
    """A protocol and labelled clips."""

    protocol: Protocol
    target: Target
    labels: Labels

    def prepare(self) -> None:
        self.protocol = self.choice.build()
        targets = map(find_target, _TARGETS)
        free = (target for target in targets if not self._objections(target))
        self.target = next(free, find_target(_TARGETS[0]))
        label = labels_for(self.target, _CLIPS)
        self.class_N = torch.arange(_CLIPS) % 3
        fold_N = torch.arange(_CLIPS) // 6 % len(_FOLDS) + 1
        source_N = torch.arange(_CLIPS) // 6 * 3 + self.class_N
        self.labels = Labels(self.target.tensor(label), fold_N, source_N, classes_of(label), self.target)
        self.perfect = self.evaluated(self.split())

    def _objections(self, target: Target) -> Sequence[object]:
        standing = Standing(clips=_CLIPS * 3 // 4, classes=3, target=target)
        return list(self.component.objections(self.choice.settings, standing))

    @property
    def judge(self) -> Judge:
        """The judge of its predictions."""
        return self.protocol.judge or self.target

    def split(self, labels: Labels | None = None, shots: int | None = None) -> Split:
        """The split of the clips, with other labels or few shots if these are given."""
        return Split(labels or self.labels, shots)

    def evaluated(
        self,
        split: Split,
        folds: Sequence[int] = _FOLDS,
        *,
        told: bool = True,
        before: int = 0,
        tell: Tell = lambda *told: None,
    ) -> list[Outcome]:
        """Outcomes on clips whose sound shows the class, or nothing; ``before`` seeds the generators beforehand."""
        subject = self.subject(told=told)
        random.seed(before)
        np.random.seed(before)
        torch.manual_seed(before)
        return self.protocol.evaluate(subject, split, folds, 0, tell)

    def subject(self, *, told: bool) -> Subject:
        """The subject: embeddings around one point for each class, or of noise; and sounds of the same kind."""
        generator = torch.Generator().manual_seed(2)
        centre_CD = torch.randn(3, _DIM, generator=generator)
        noise_ND = torch.randn(_CLIPS, _DIM, generator=generator)  # of the clip, and not of its windows
        clip_ND = centre_CD[self.class_N] + _NOISE * noise_ND if told else noise_ND
        embeddings = Embeddings(
            clip_ND.repeat_interleave(_WINDOWS, 0), torch.arange(_CLIPS).repeat_interleave(_WINDOWS)
        )
        recordings = self._sounds(told=told)
        return Subject(
            embeddings if self.protocol.uses_embeddings else None,
            recordings,
            torch.device("cpu"),
            nullcontext,  # type: ignore[arg-type]
            self._model() if self.protocol.uses_model else None,
        )

    def _sounds(self, *, told: bool) -> Recordings:
        """A tone for each clip: its pitch shows the class, or is drawn."""
        rng = np.random.default_rng(0)
        drawn_N = self.class_N.numpy() if told else rng.integers(3, size=_CLIPS)
        phase_NT = 2 * np.pi * np.outer(400 * 3.0**drawn_N / _RATE, np.arange(_SAMPLES)) + rng.uniform(
            0, 6, (_CLIPS, 1)
        )
        sound_NT = (FULL_SCALE / 4 * np.sin(phase_NT)).astype(np.int16)
        return Recordings(sound_NT.reshape(-1), np.arange(_CLIPS + 1) * _SAMPLES, _RATE)

    def _model(self) -> Model:
        choice = self.beside.encoder or ENCODERS.choose({"name": "cnn6", "width": 2})
        frontend = frontend_before(choice.component, self.beside)

        def encoder() -> Encoder:
            torch.manual_seed(0)
            return choice.build(frontend.channels, frontend.bins)

        return Model(encoder, Views(frontend), Views(frontend), _SAMPLES)


def gives_an_outcome_a_fold(specimen: Specimen) -> str:
    """Of every fold there is an outcome, in their order, that names the clips that are tested."""
    split = specimen.split()
    folds = [outcome.fold for outcome in specimen.perfect]
    if folds != list(_FOLDS):
        raise Broken(f"outcomes of the folds {list(_FOLDS)}", str(folds), "give one for each of folds, in that order")
    for outcome in specimen.perfect:
        if not np.array_equal(outcome.clips, split.test(outcome.fold).numpy()):
            raise Broken("the clips of split.test(fold)", f"others of fold {outcome.fold}", "clips=test.numpy()")
    return f"{len(folds)} folds"


def predicts_every_clip(specimen: Specimen) -> str:
    """An outcome has finite scores ``[n, C]``, and predictions ``[epochs, n]``: a row an epoch, or one."""
    for outcome in specimen.perfect:
        clips, rows = len(outcome.clips), max(len(outcome.epochs), 1)
        shapes = (list(np.shape(outcome.scores)), list(np.shape(outcome.predicted)))
        if len(shapes[0]) != 2 or shapes[0][0] != clips or shapes[1] != [rows, clips]:
            raise Broken(
                f"[{clips}, C] and [{rows}, {clips}]", f"{shapes[0]} and {shapes[1]}", "see Outcome's docstring"
            )
        if not np.isfinite(outcome.scores).all():
            raise Broken("finite scores", "others", "guard divisions, logarithms and roots")
    return f"{shapes[0]} and {shapes[1]}"


def predicts_by_its_scores(specimen: Specimen) -> None:
    """The last row of predictions is what the target predicts by the scores."""
    for outcome in specimen.perfect:
        if not np.array_equal(outcome.predicted[-1], specimen.target.predict(outcome.scores)):
            fix = "predicted=split.labels.target.predict(scores)[None]"
            raise Broken("the predictions that the scores give", f"others of fold {outcome.fold}", fix)


def tells_what_embeddings_tell(specimen: Specimen) -> str:
    """Of clips that are easily told apart it predicts better than chance."""
    return require_better(_distance(specimen, specimen.perfect), "easy clips")


def stays_at_chance(specimen: Specimen) -> str:
    """Of clips that tell nothing it predicts no better than chance: nothing leaks from the test folds."""
    return require_chance(
        _distance(specimen, specimen.evaluated(specimen.split(), told=False)), "clips that tell nothing"
    )


def repeats_itself(specimen: Specimen) -> None:
    """The same seed gives the same scores, whatever was drawn before."""
    _require_scores(
        specimen.evaluated(specimen.split(), before=1),
        specimen.perfect,
        "draw from torch's generators after audiobench.seed_everything(seed, ...)",
    )


def looks_at_no_test_label(specimen: Specimen) -> str:
    """Other labels of the clips that are tested change no score."""
    fold = _FOLDS[1]
    changed = _mislabelled(specimen, specimen.split().test(fold))
    outcomes = specimen.evaluated(specimen.split(changed), [fold])
    fix = "use the labels of split.train(fold) alone"
    _require_scores(outcomes, specimen.evaluated(specimen.split(), [fold]), fix)
    return f"fold {fold}"


def trains_on_the_shots_alone(specimen: Specimen) -> str:
    """Where few clips of a class train, other labels of the other clips of their folds change no score."""
    if specimen.protocol.uses_model or not specimen.target.by_class:
        raise NotApplicable("few shots are of protocols on embeddings alone, and of one label a clip")
    fold, few = _FOLDS[0], specimen.split(shots=4)
    every, drawn = specimen.split().train(fold), few.train(fold)
    others = every[~torch.isin(every, drawn)]
    changed = specimen.labels.label_N.clone()
    changed[others] = 0
    split = _Drawn(replace(specimen.labels, label_N=changed), 4, drawn=drawn)
    fix = "use the labels of split.train(fold) alone"
    _require_scores(specimen.evaluated(split, [fold]), specimen.evaluated(few, [fold]), fix)
    return f"{len(drawn)} of {len(every)} clips train"


def folds_stand_alone(specimen: Specimen) -> None:
    """A fold has the same scores, whichever others are evaluated with it."""
    alone = specimen.evaluated(specimen.split(), [_FOLDS[2]])
    fix = "seed each fold by itself: audiobench.seed_for(seed, NAME, fold)"
    _require_scores(alone, [specimen.perfect[2]], fix)


def says_how_far_it_is(specimen: Specimen) -> str:
    """While it works it tells how far it is, in words."""
    said: list[str] = []
    specimen.evaluated(specimen.split(), _FOLDS[:1], tell=lambda status, *told: said.append(status))
    if not said or not all(isinstance(sentence, str) for sentence in said):
        raise Broken("words", repr(said[:1]), 'call tell(f"fold {fold}") after every step')
    return f"{said[-1]!r} at the end"


def names_its_metrics(specimen: Specimen) -> str:
    """Metrics that it brings have names of their own, and words for the note below a leaderboard."""
    return require_names(_own_judge(specimen))


def counts_recordings(specimen: Specimen) -> str:
    """Figures that it brings, where a recording counts twice, are those of its clips there twice."""
    judge = _own_judge(specimen)
    first = specimen.evaluated(specimen.split(), _FOLDS[:1], told=False)[0]
    label = labels_for(specimen.target, _CLIPS)[first.clips]
    return require_counts(judge, label, first.predicted[-1], first.scores)


def _own_judge(specimen: Specimen) -> Judge:
    if specimen.protocol.judge is None:
        raise NotApplicable("it is judged by the metrics of the task's target")
    return specimen.protocol.judge


def _distance(specimen: Specimen, outcomes: list[Outcome]) -> float:
    """How far the predictions of all folds are from chance."""
    place_N = np.concatenate([outcome.clips for outcome in outcomes])
    predicted_N = np.concatenate([outcome.predicted[-1] for outcome in outcomes])
    score_NC = np.concatenate([outcome.scores for outcome in outcomes])
    return distance_from_chance(specimen.judge, labels_for(specimen.target, _CLIPS)[place_N], predicted_N, score_NC)


def _mislabelled(specimen: Specimen, clips: Tensor) -> Labels:
    """The labels, where those of some clips are moved on by one clip."""
    label_N = specimen.labels.label_N.clone()
    label_N[clips] = label_N[clips].roll(1, 0)
    return replace(specimen.labels, label_N=label_N)


@dataclass(frozen=True)
class _Drawn(Split):
    """A split that trains on given clips, which were drawn by other labels."""

    drawn: Tensor | None = None

    def train(self, fold: int) -> Tensor:
        assert self.drawn is not None
        return self.drawn


def _require_scores(outcomes: list[Outcome], expected: list[Outcome], fix: str) -> None:
    for one, other in zip(outcomes, expected, strict=True):
        apart = float(np.abs(one.scores - other.scores).max())
        if not apart <= _EQUAL * max(float(np.abs(other.scores).max()), 1e-9):
            raise Broken("equal scores", f"scores {apart:.1e} apart in fold {one.fold}", fix)
