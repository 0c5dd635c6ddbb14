"""A protocol with a metric of its own is one file: from its plugin to the board, its files and the page."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score

from registry import lookup
from tests.audiobench.test_run import Call
from tests.conftest import TINY

CENTROID = '''
"""The nearest mean of a class's training clips, judged by recall."""

from collections.abc import Callable

import numpy as np
import torch

from audiobench import Answers, Judge, Metric, Outcome, Protocol


class _Recall(Judge):
    """Recall of every class: their mean, and how far the worst class lies below it."""

    metrics = (Metric("balanced accuracy", "balanced_accuracy"), Metric("gap", "gap", higher_is_better=False))
    meaning = "balanced accuracy, the mean recall of classes, and the gap to the worst of them"

    def under(self, answers: Answers) -> Callable:
        has_CN = answers.label == np.arange(answers.label.max() + 1)[:, None]

        def figures(count_DR: np.ndarray) -> dict:
            weight_DN = count_DR[:, answers.recording_N].astype(np.float64)
            with np.errstate(invalid="ignore"):
                recall_PDC = np.stack([
                    (weight_DN * (own == answers.label)) @ has_CN.T / (weight_DN @ has_CN.T)
                    for own in answers.predicted_PN
                ])
            mean_PD = np.nanmean(recall_PDC, 2)
            return {"balanced accuracy": mean_PD, "gap": mean_PD - np.nanmin(recall_PDC, 2)}

        return figures


class Centroid(Protocol):
    """Nearest class means."""

    uses_embeddings = True
    judge = _Recall()

    def evaluate(self, subject, split, folds, seed, tell):
        labels = split.labels
        z_ND = subject.embeddings.mean(len(labels.label_N))
        outcomes = []
        for fold in folds:
            train, test = split.train(fold), split.test(fold)
            mean_CD = torch.stack([z_ND[train][labels.label_N[train] == c].mean(0) for c in range(labels.classes)])
            score_NC = -torch.cdist(z_ND[test], mean_CD).numpy()
            tell(f"fold {fold}")
            outcomes.append(Outcome(fold, test.numpy(), score_NC, [], labels.target.predict(score_NC)[None]))
        return outcomes
'''


def test_a_protocols_own_metric_goes_all_the_way(
    tmp_path: Path, tiny: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, runs = tmp_path / "centroid.py", tmp_path / "runs"
    plugin.write_text(CENTROID)
    entries = TINY.replace("protocols: [freeze, knn]", "protocols: [centroid, knn]")
    tiny.write_text(
        entries.replace("  finetune: {epochs: 1, batch_size: 32}\n", "  centroid: {}\n") + "plugins: [centroid.py]\n"
    )
    ran = audiobench("run", tiny, "--runs", runs, "--entry", "npid", "--entry", "random")
    assert ran.status == 0, ran.err
    assert "centroid random on sounds: balanced accuracy 0." in ran.err

    judged = 0
    for path in (runs / "evaluate").glob("*/result.json"):
        record = json.loads(path.read_text())
        kept = pd.read_parquet(path.parent / "predictions.parquet")
        for fold, facts in record["folds"].items():
            of_fold = kept[kept.fold == int(fold)]
            if record["judge"] == "protocols/centroid":
                balanced = balanced_accuracy_score(of_fold.label, of_fold.predicted)
                worst = recall_score(of_fold.label, of_fold.predicted, average=None).min()
                assert facts["balanced_accuracy"] == pytest.approx(balanced)
                assert facts["gap"] == pytest.approx(balanced - worst)
                judged += 1
    assert judged == 10

    monkeypatch.setattr(lookup, "_plugins", {})  # as in a new process
    asked = ("leaderboard", "--runs", runs, "--format")
    refused = audiobench(*asked, "md")
    assert refused.status == 2
    assert "no protocol is called 'centroid'" in refused.err
    assert "--plugin FILE" in refused.err
    shown = audiobench(*asked, "md", "--plugin", plugin).out
    head = next(line for line in shown.splitlines() if line.startswith("| entry"))
    assert [part.strip() for part in head.split("|")][2:4] == ["centroid balanced accuracy (last)", "gap"]
    assert "Accuracy, mean over folds" in shown
    assert "Of centroid on sounds: balanced accuracy, the mean recall of classes, and the gap to the worst" in shown
    rows = list(csv.DictReader(io.StringIO(audiobench(*asked, "csv", "--plugin", plugin).out)))
    row = next(row for row in rows if (row["entry"], row["protocol"]) == ("npid", "centroid"))
    assert row["metric"] == "balanced accuracy"
    for name in ("figure", "gap"):
        low, high = ("low", "high") if name == "figure" else ("gap_low", "gap_high")
        assert float(row[low]) < float(row[name]) < float(row[high])
    assert float(row["minus_control_low"]) < float(row["minus_control"]) < float(row["minus_control_high"])
    page = tmp_path / "page.html"
    answer = audiobench("report", tiny, "--runs", runs, "--output", page, "--plugin", plugin)
    assert answer.status == 0, answer.err
    html = page.read_text()
    assert "balanced accuracy (fraction, 95 % interval; line: control, random)" in html
    assert f"{float(row['figure']):.3f} ± {float(row['deviation']):.3f}" in html
    checked = audiobench("store", "check", "--runs", runs)
    assert checked.status == 0, checked.err
