"""The transformer of scikit-learn: its contract, and what it gives for files and for waveforms."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import audiobench
from registry.errors import Mistake

Finished = tuple[Path, Path]

NOT_APPLICABLE = {
    "check_array_api_input": "waveforms are NumPy's arrays, and torch computes, whose device is a parameter"
}


@pytest.fixture
def embedder(finished: Finished) -> audiobench.Embedder:
    suite, runs = finished
    return audiobench.Embedder("random", suite=suite, runs=runs, device="cpu")


def test_it_keeps_the_contract_of_scikit_learn(embedder: audiobench.Embedder) -> None:
    checks = check_estimator(embedder, expected_failed_checks=NOT_APPLICABLE, on_skip=None)
    passed = {check["check_name"] for check in checks if check["status"] == "passed"}
    others = {check["check_name"] for check in checks} - passed
    assert (len(passed) > 40, others) == (True, set(NOT_APPLICABLE))


def test_files_and_waveforms_have_equal_embeddings(
    embedder: audiobench.Embedder, finished: Finished, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    files = [tmp_path / f"{i}.wav" for i in range(5)]
    time_T = np.arange(22_050) / 22_050
    waves = [0.1 * generator.standard_normal(22_050) for _ in files[:2]]
    waves += [0.5 * np.sin(2 * np.pi * hertz * time_T) for hertz in (300, 400, 500)]
    for file, wave in zip(files, waves, strict=True):
        soundfile.write(file, wave, 22_050, "FLOAT")
    net = audiobench.load("random", suite=finished[0], runs=finished[1])
    resampled = np.stack([soxr.resample(wave, 22_050, net.sample_rate, quality="HQ") for wave in waves])
    z_ND = embedder.fit_transform(files)
    assert z_ND.shape == (5, net.embedding_dim)
    assert z_ND.dtype == np.float32
    assert list(embedder.get_feature_names_out())[:1] == ["embedder0"]
    stored = np.round(resampled * 32767) / 32767  # as the suite's packs store it
    np.testing.assert_allclose(embedder.fit_transform(stored), z_ND, rtol=1e-4, atol=1e-7)
    assert abs(embedder.fit_transform(resampled) - z_ND).max() > 1e-6
    assert embedder.fit(files).transform(stored[:, :9000]).shape == z_ND.shape
    assert not hasattr(embedder, "n_features_in_")
    for named in (list(map(str, files)), np.array(list(map(str, files))), pd.Series(files, index=range(5, 10))):
        np.testing.assert_array_equal(embedder.transform(named), z_ND)
    frame = pd.DataFrame(stored, columns=[f"sample {i}" for i in range(stored.shape[1])])
    np.testing.assert_allclose(embedder.fit_transform(frame), z_ND, rtol=1e-4, atol=1e-7)
    embedder.fit(files)
    classifier = make_pipeline(embedder, StandardScaler(), LogisticRegression()).fit(files, [0, 0, 1, 1, 1])
    assert classifier.score(files, [0, 0, 1, 1, 1]) == 1
    files[1].write_bytes(b"")
    with pytest.raises(Mistake, match=r"1 of 5 files.*\n.*1\.wav"):
        embedder.transform(files)
