"""CLD: its clusterings against scikit-learn and SciPy, its loss, and what it adds to NPID and MoCo."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.linalg import eigh
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from registry.errors import Mistake
from registry.lookup import METHODS
from registry.losses import batch_kmeans, cld, normalised_cuts
from registry.methods import unit
from registry.tensors import read_tensors, write_tensors
from tests.registry.test_losses import rows
from tests.registry.test_methods import Linear, method, waves

BASES: dict[str, dict[str, Any]] = {
    "npid": {"name": "npid", "negatives": 0, "temperature": 0.1, "dim": 8},
    "npid by noise": {"name": "npid", "negatives": 8, "dim": 8},
    "moco": {"name": "moco", "queue_size": 16, "norm_groups": 2, "dim": 8},
}


def over(base: str, encoder: Linear | None = None, **settings: Any) -> Any:
    return method("cld", encoder or Linear(), base=BASES[base], **{"clusters": 3, **settings})


def fit(z: Any, clusters: int, iterations: int) -> KMeans:
    return KMeans(clusters, init=z[:clusters], n_init=1, max_iter=iterations, tol=0).fit(z)


@pytest.mark.parametrize("iterations", [1, 2, 5, 100])
def test_kmeans_goes_as_scikit_learns_does_from_the_first_rows(iterations: int) -> None:
    z = rows(200, 4, 0)
    theirs = fit(z.numpy(), 6, iterations)
    _, centroid = batch_kmeans(z, 6, iterations)
    np.testing.assert_allclose(centroid, theirs.cluster_centers_, rtol=1e-9)
    label, _ = batch_kmeans(z, 6, iterations + 1)  # theirs are by the last centroids, ours by those before
    np.testing.assert_array_equal(label, theirs.labels_)


def test_a_cluster_that_lost_its_rows_has_centroid_zero() -> None:
    label, centroid = batch_kmeans(torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), 2, 5)
    assert label.tolist() == [0, 0, 0]
    torch.testing.assert_close(centroid, torch.tensor([[1 / 3, 2 / 3], [0.0, 0.0]]))


@pytest.mark.parametrize("group", [batch_kmeans, normalised_cuts])
def test_centroids_are_means_and_hand_gradients_to_their_rows_alone(
    group: Callable[[Tensor, int, int], tuple[Tensor, Tensor]],
) -> None:
    z = rows(30, 4, 1).requires_grad_()
    label, centroid = group(z, 5, 5)
    for k in label.unique():
        torch.testing.assert_close(centroid[k], z[label == k].mean(0))
    (gradient,) = torch.autograd.grad(centroid[label[0]].sum(), z)
    members = label == label[0]
    torch.testing.assert_close(gradient, (members / members.sum())[:, None].expand_as(z).double())


def test_normalised_cuts_find_the_groups_that_scikit_learn_finds() -> None:
    truth = np.arange(60) % 4
    noise = 0.15 * torch.randn(60, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = torch.nn.functional.normalize(torch.eye(6, dtype=torch.float64)[truth] + noise, dim=1)
    z[::3] *= -1  # of |cos|: what is opposite is alike
    affinity = (z @ z.T).abs().fill_diagonal_(0).numpy()
    theirs = SpectralClustering(4, affinity="precomputed", random_state=0).fit_predict(affinity)
    label, _ = normalised_cuts(z, 4, 5)
    assert adjusted_rand_score(truth, theirs) == 1
    assert adjusted_rand_score(truth, label) == 1
    assert adjusted_rand_score(truth, batch_kmeans(z, 4, 5)[0]) < 0.8
    half, _ = normalised_cuts(z.bfloat16(), 4, 5)
    assert adjusted_rand_score(truth, half) == 1


@pytest.mark.parametrize("seed", range(3))
def test_normalised_cuts_are_kmeans_of_the_generalised_eigenvectors(seed: int) -> None:
    z = rows(50, 5, seed)
    affinity = (z @ z.T).abs().fill_diagonal_(0).numpy()
    degree = np.diag(affinity.sum(1))
    _, vectors = eigh(degree - affinity, degree, subset_by_index=[0, 2])
    np.testing.assert_array_equal(normalised_cuts(z, 3, 100)[0], fit(vectors, 3, 100).labels_)


def slow_cld(a: Tensor, b: Tensor, clusters: int, temperature: float) -> float:
    """Its definition, in loops, with scikit-learn's groups."""
    total = 0.0
    for one, other in ((a.numpy(), b.numpy()), (b.numpy(), a.numpy())):
        groups = fit(other, clusters, 100)
        for z, label in zip(one, groups.labels_, strict=True):
            terms = [math.exp(float(z @ centroid) / temperature) for centroid in groups.cluster_centers_]
            total -= math.log(terms[label] / sum(terms)) / len(a) / 2
    return total


def grouped_cld(a: Tensor, b: Tensor, clusters: int = 3, iterations: int = 100) -> Tensor:
    return cld(a, b, batch_kmeans(a, clusters, iterations), batch_kmeans(b, clusters, iterations), 0.2)


def test_cld_equals_its_definition() -> None:
    a, b = rows(40, 4, 0), rows(40, 4, 1)
    assert grouped_cld(a, b).item() == pytest.approx(slow_cld(a, b, 3, 0.2), rel=1e-9)
    assert grouped_cld(a.bfloat16(), b.bfloat16()).dtype == torch.float32


def test_cld_has_the_gradients_of_finite_differences_centroids_included() -> None:
    a, b = rows(12, 4, 0).requires_grad_(), rows(12, 4, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: grouped_cld(a, b, iterations=3), (a, b))


def test_cld_depends_on_neither_the_order_of_views_nor_of_clips_after_the_first() -> None:
    a, b = rows(12, 4, 0), rows(12, 4, 1)
    order = torch.cat([torch.arange(3), torch.randperm(9, generator=torch.Generator().manual_seed(0)) + 3])
    torch.testing.assert_close(grouped_cld(a, b), grouped_cld(b, a))
    torch.testing.assert_close(grouped_cld(a, b), grouped_cld(a[order], b[order]))


def test_the_defaults_are_the_script_of_npid_on_cifar_10() -> None:
    settings = METHODS.choose("cld").settings
    assert (settings.clusters, settings.weight, settings.temperature, settings.iterations) == (128, 1.0, 0.2, 5)
    assert settings.base.name == "npid"
    assert tuple(settings.base.config[name] for name in ("temperature", "negatives", "dim")) == (0.1, 0, 128)
    with pytest.raises(ValidationError, match="cld goes with npid or moco, not with simclr"):
        METHODS.choose({"name": "cld", "base": "simclr"})


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("grouping", ["kmeans", "spectral"])
def test_gradients_reach_encoder_and_both_heads_alone(base: str, grouping: str) -> None:
    trained = over(base, Linear(norm=True), grouping=grouping)
    assert trained.windows == (3 if base == "moco" else 2)
    loss, _ = trained(waves(8, trained.windows, 0), torch.arange(8))
    loss.backward()
    head = "query_head" if base == "moco" else "head"
    for name, p in trained.named_parameters():
        learns = name.startswith(("encoder.", "group_head.", f"base.{head}."))
        assert (p.grad is not None) == learns, name
    assert trained.group_head.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("base", ["npid", "moco"])
def test_the_group_loss_is_added_by_its_weight(base: str) -> None:
    plain = over(base, weight=0.0, iterations=100)
    heavy = over(base, plain.encoder, weight=2.5, iterations=100)
    heavy.load_state_dict(plain.state_dict())
    wave, index = waves(12, plain.windows, 0)[:8], torch.arange(8)
    a, b = (unit(plain.group_head(plain.encoder.embed(plain.views(wave[:, v])))).detach().double() for v in (0, 1))
    difference = heavy(wave, index)[0] - plain(wave, index)[0]
    assert difference.item() == pytest.approx(2.5 * slow_cld(a, b, 3, 0.2), rel=1e-4)


def test_npid_is_averaged_over_the_views_and_its_bank_takes_in_both() -> None:
    trained = over("npid", weight=0.0)
    npid = method("npid", trained.encoder, **{k: v for k, v in BASES["npid"].items() if k != "name"})
    wave, index, start = waves(4, 2, 0), torch.tensor([3, 19, 7, 0]), trained.base.bank_ND.clone()
    expected = 0.0
    for view in (0, 1):
        npid.head.load_state_dict(trained.base.head.state_dict())
        npid.bank_ND.copy_(start)
        expected += npid(wave[:, view : view + 1], index)[0].item() / 2
    assert trained(wave, index)[0].item() == pytest.approx(expected, rel=1e-6)
    trained.after_step()
    a, b = (unit(npid.head(npid.encoder.embed(npid.views(wave[:, v])))) for v in (0, 1))
    bank = start.clone()
    bank[index] = unit((unit((start[index] + a) / 2) + b) / 2)
    torch.testing.assert_close(trained.base.bank_ND, bank)


def test_mocos_third_window_is_the_key_of_both_queries() -> None:
    trained = over("moco", weight=0.0)
    moco = method("moco", Linear(), **{k: v for k, v in BASES["moco"].items() if k != "name"})
    state = {k.removeprefix("base."): v.clone() for k, v in trained.state_dict().items() if "group_head" not in k}
    wave, index = waves(4, 3, 0), torch.arange(4)
    expected = 0.0
    for view in (0, 1):
        moco.load_state_dict(state)
        expected += moco(wave[:, [view, 2]], index)[0].item() / 2
    assert trained(wave, index)[0].item() == pytest.approx(expected, rel=1e-6)
    moco.after_step()
    trained.after_step()
    torch.testing.assert_close(trained.base.queue_QD, moco.queue_QD)
    assert int(trained.base.next_row) == 4


@pytest.mark.parametrize("base", ["npid", "moco"])
def test_a_saved_state_holds_everything_once_and_goes_on(base: str, tmp_path: Path) -> None:
    trained = over(base, Linear(norm=True))
    index, path = torch.arange(8), tmp_path / "state"
    trained(waves(8, trained.windows, 0), index)
    trained.after_step()
    write_tensors(path, trained.state_dict())  # which refuses tensors that share memory
    again = over(base, Linear(norm=True))
    again.load_state_dict(read_tensors(path)[0])
    torch.manual_seed(0)
    expected, _ = trained(waves(8, trained.windows, 1), index)
    torch.manual_seed(0)
    assert torch.equal(again(waves(8, trained.windows, 1), index)[0], expected)


@pytest.mark.parametrize("base", ["npid", "moco"])
def test_cached_gradients_are_the_gradients(base: str) -> None:
    whole = over(base)
    chunked = over(base)
    chunked.load_state_dict(whole.state_dict())
    chunked.chunk = 3
    wave = waves(8, whole.windows, 0)
    for one in (whole, chunked):
        one(wave, torch.arange(8))[0].backward()
    torch.testing.assert_close(chunked.encoder.map[0].weight.grad, whole.encoder.map[0].weight.grad)


def test_more_clusters_than_clips_are_a_mistake() -> None:
    with pytest.raises(Mistake, match="9 clusters of a batch of 8"):
        over("npid", clusters=9)(waves(8, 2, 0), torch.arange(8))


def test_both_of_mocos_encoders_compute_in_the_precision_of_the_run() -> None:
    trained = over("moco")
    trained.autocast = lambda: torch.autocast("cpu", torch.bfloat16)
    found = []
    for encoder in (trained.encoder, trained.base.key_encoder):
        encoder.map[0].register_forward_hook(lambda module, given, made: found.append(made.dtype))
    trained(waves(8, 3, 0), torch.arange(8))
    assert found == [torch.bfloat16] * 3
