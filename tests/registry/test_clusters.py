"""SwAV, DeepCluster and the clustering beneath: against scikit-learn, definitions and sounds whose kinds are known."""

import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from registry.audio import Recordings
from registry.clustering import kmeans, whiten
from registry.errors import Mistake
from registry.lookup import METHODS
from registry.methods import Corpus, unit
from registry.optimizers import make_optimizer
from registry.training import Training
from tests.conftest import SHARED
from tests.registry.test_methods import Linear, method, views, waves

SWAV: dict[str, Any] = {"prototypes": 7, "dim": 5, "hidden": 8, "short": 2, "freeze_epochs": 0}
SECOND: dict[str, Any] = {"clusters": 4, "dim": 5, "hidden": 8, "short": 2}
FIRST: dict[str, Any] = {"clusters": 4}


def blobs(kinds: int, each: int, dim: int) -> tuple[Tensor, Tensor]:
    """Rows around well separated centres, and the centre of each."""
    drawn = torch.Generator().manual_seed(0)
    kind = torch.arange(kinds).repeat(each)
    return 5 * torch.randn(kinds, dim, generator=drawn)[kind] + torch.randn(len(kind), dim, generator=drawn), kind


def test_kmeans_is_scikit_learns_from_the_same_rows() -> None:
    x, _ = blobs(6, 40, 5)
    for iterations in (1, 2, 20):
        torch.manual_seed(3)
        start = x[torch.randperm(len(x))[:9]]
        torch.manual_seed(3)
        label, centroid = kmeans(x, 9, iterations)
        theirs = KMeans(9, init=start.numpy(), n_init=1, max_iter=iterations, tol=0, algorithm="lloyd").fit(x.numpy())
        torch.testing.assert_close(label, torch.from_numpy(theirs.predict(x.numpy())).long())
        np.testing.assert_allclose(centroid, theirs.cluster_centers_, rtol=1e-4, atol=1e-4)


def test_spherical_kmeans_looks_at_directions_alone() -> None:
    x, _ = blobs(5, 30, 6)
    scores = []
    for iterations in (0, 1, 3, 10):
        torch.manual_seed(1)
        label, centroid = kmeans(unit(x), 5, iterations, spherical=True)
        cosine = F.cosine_similarity(x[:, None], centroid[None], dim=2)
        torch.testing.assert_close(centroid.norm(dim=1), torch.ones(5))
        assert torch.equal(label, cosine.argmax(1))
        scores.append(cosine.amax(1).mean().item())
    assert scores == sorted(scores)
    settled = torch.stack([unit(unit(x)[label == k].sum(0)) for k in range(5)])
    torch.testing.assert_close(centroid, settled, atol=1e-5, rtol=0)


def test_kmeans_finds_what_is_far_apart_whatever_the_precision_around_it() -> None:
    x, kind = blobs(2, 50, 4)
    torch.manual_seed(0)
    label, _ = kmeans(x, 2, 10)
    assert adjusted_rand_score(kind, label) == 1
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        again, _ = kmeans(1e3 + x, 2, 10)  # bfloat16 has steps of 8 here
    assert adjusted_rand_score(kind, again) == 1


def test_an_empty_cluster_keeps_its_centroid() -> None:
    x = torch.tensor([[1.0, 0.0]]).repeat(6, 1)
    label, centroid = kmeans(x, 3, 5)
    assert torch.equal(centroid, x[:3])
    assert torch.equal(label, torch.zeros(6, dtype=torch.long))


def test_whitening_is_scikit_learns_up_to_signs() -> None:
    x = torch.randn(200, 8) @ torch.randn(8, 8)
    theirs = unit(torch.from_numpy(PCA(5, whiten=True, svd_solver="full").fit_transform(x.double().numpy())))
    ours = whiten(x, 5)
    assert ours.shape == (200, 5)
    torch.testing.assert_close(ours @ ours.T, theirs @ theirs.T, atol=1e-4, rtol=0)


def test_whitening_survives_dimensions_that_never_change() -> None:
    x = torch.randn(200, 4)
    flat = torch.cat([x, torch.full((200, 3), 0.1), x[:, :1]], 1)
    ours, expected = whiten(flat, 256), whiten(x, 4)
    torch.testing.assert_close(ours @ ours.T, expected @ expected.T, atol=1e-4, rtol=0)


def test_defaults_are_the_sources() -> None:
    swav, first, second = (METHODS.choose(name).settings for name in ("swav", "deepcluster", "deepcluster-v2"))
    assert (swav.prototypes, swav.temperature, swav.epsilon, swav.iterations) == (3000, 0.1, 0.05, 3)
    assert (swav.dim, swav.hidden, swav.short, swav.freeze_epochs) == (128, 2048, 6, 1)
    assert (first.clusters, first.iterations, first.components, first.reassign) == (10000, 20, 256, 1)
    assert (second.clusters, second.iterations, second.heads, second.temperature) == (3000, 10, 3, 0.1)
    assert (second.dim, second.hidden, second.short, second.short_length) == (128, 2048, 6, 0.43)
    assert METHODS.find("deepcluster-v2").recipe == METHODS.find("swav").recipe
    assert METHODS.find("swav").windows == method("swav", Linear()).windows == 8
    assert METHODS.find("deepcluster-v2").windows == 8
    assert method("deepcluster-v2", Linear(), **SECOND).windows == 4
    assert method("deepcluster", Linear(), **FIRST).windows == 1


@pytest.mark.parametrize(("name", "settings"), [("swav", SWAV), ("deepcluster", FIRST), ("deepcluster-v2", SECOND)])
def test_gradients_reach_every_parameter(name: str, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    trained = method(name, Linear(norm=True), **settings)
    trained.before_epoch()
    loss, _ = trained(waves(8, trained.windows, 0), torch.arange(8))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None for p in trained.parameters())
    if name == "swav":  # the first classifier of DeepCluster is next to nothing
        assert trained.encoder.map[0].weight.grad.abs().sum() > 0


def projections(trained: Any, wave_BVT: Tensor, short: int) -> list[Tensor]:
    """What a method in evaluation mode makes of each window, one by one."""
    parts = [wave_BT if v < 2 else wave_BT[:, :short] for v, wave_BT in enumerate(wave_BVT.unbind(1))]
    return [unit(trained.head(trained.encoder.embed(trained.views(part)))).double() for part in parts]


def balanced(score_BK: np.ndarray[Any, Any], epsilon: float, rounds: int) -> np.ndarray[Any, Any]:
    """Sinkhorn's iteration as printed in SwAV: prototypes share the batch, then each clip's shares sum to one."""
    q_KB = np.exp(score_BK.T / epsilon)
    for _ in range(rounds):
        q_KB = q_KB / q_KB.sum(1, keepdims=True)
        q_KB = q_KB / q_KB.sum(0, keepdims=True)
    return q_KB.T


@pytest.mark.parametrize("queued", [0, 6])
def test_swav_is_its_definition(queued: int) -> None:
    torch.manual_seed(0)
    swav = method("swav", Linear(), queue_size=queued, queue_epoch=0, **SWAV).eval()
    wave, queue = waves(5, 4, 0), swav.queue_VQD.clone().double().numpy()
    loss, _ = swav(wave, torch.arange(5))
    z = [one.detach().numpy() for one in projections(swav, wave, int(0.43 * 4000))]
    prototypes = swav.prototype_KD.detach().double().numpy()
    terms = []
    for v in (0, 1):
        target = balanced(np.concatenate([queue[v], z[v]]) @ prototypes.T, 0.05, 3)[-5:]
        for w in {0, 1, 2, 3} - {v}:
            score = z[w] @ prototypes.T / 0.1
            logs = score - np.log(np.exp(score).sum(1, keepdims=True))
            terms.append(-(target * logs).sum(1).mean())
    assert loss.item() == pytest.approx(np.mean(terms), rel=1e-4)


def test_swav_assigns_as_the_test_vectors() -> None:
    path = SHARED / "reference" / "golden.json"
    if not path.is_file():
        pytest.skip(f"no test vectors at {path}")
    golden = json.loads(path.read_text())
    prototypes = torch.tensor(golden["swav_prototypes"])
    swav = method("swav", Linear(), prototypes=len(prototypes), dim=3, hidden=4)
    swav.prototype_KD.data.copy_(prototypes)
    assigned = swav._assign(torch.tensor([golden["za"], golden["zb"]]))[0]
    torch.testing.assert_close(assigned, torch.tensor(golden["swav_Q_from_za (rows sum to 1)"]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars", "larc"])
def test_swavs_prototypes_rest_at_first_and_have_unit_norm_always(optimizer: Any) -> None:
    torch.manual_seed(0)
    swav = method("swav", Linear(), **SWAV | {"freeze_epochs": 2})
    budget = Training(epochs=3, batch_size=8, optimizer=optimizer, learning_rate=0.1, weight_decay=0.5)
    stepped = make_optimizer(swav, budget)
    start, seen = swav.prototype_KD.detach().clone(), []
    for step in range(6):
        swav.epoch = step // 2
        stepped.zero_grad()
        swav(waves(8, 4, step), torch.arange(8))[0].backward()
        torch.testing.assert_close(swav.prototype_KD.detach().norm(dim=1), torch.ones(7))
        stepped.step()
        seen.append(torch.allclose(unit(swav.prototype_KD.detach()), start, atol=1e-6))
        assert seen[-1] == (torch.allclose(swav.prototype_KD.detach(), start, atol=1e-6))
    assert seen == [True] * 4 + [False] * 2


def test_swavs_queue_holds_the_last_embeddings_newest_first_and_waits_for_its_epoch() -> None:
    torch.manual_seed(0)
    swav = method("swav", Linear(), queue_size=10, queue_epoch=1, **SWAV).eval()
    first, second = waves(4, 4, 0), waves(4, 4, 1)
    drawn = swav.queue_VQD.clone()
    plain = method("swav", Linear(), **SWAV).eval()
    plain.load_state_dict(swav.state_dict() | {"queue_VQD": plain.queue_VQD})
    assert swav(first, torch.arange(4))[0] == plain(first, torch.arange(4))[0]
    swav(second, torch.arange(4))
    for v in (0, 1):
        made = [projections(swav, wave, 1720)[v].float() for wave in (second, first)]
        torch.testing.assert_close(swav.queue_VQD[v], torch.cat([*made, drawn[v, :2]]))
    swav.epoch = 1
    assert swav(first, torch.arange(4))[0] != plain(first, torch.arange(4))[0]


def test_short_windows_are_short_and_the_order_of_the_batch_does_not_matter() -> None:
    torch.manual_seed(0)
    swav = method("swav", Linear(), **SWAV).eval()
    wave = waves(6, 4, 0)
    loss, _ = swav(wave, torch.arange(6))
    longer = wave.clone()
    longer[:, 2:, 1720:] = 0
    assert swav(longer, torch.arange(6))[0] == loss
    order = torch.randperm(6)
    torch.testing.assert_close(swav(wave[order], order)[0], loss)


def kinds(clips: int) -> tuple[Corpus, Tensor]:
    """A corpus of three tones and of noise, in turn, at random levels; and which clip is what."""
    rng, time = np.random.default_rng(0), np.arange(6000) / 16000
    sounds = [
        rng.uniform(0.3, 0.4)
        * (np.sin(2 * np.pi * 400 * 3 ** (i % 4) * time) if i % 4 < 3 else rng.uniform(-1, 1, 6000))
        for i in range(clips)
    ]
    samples = np.concatenate([np.round(32767 * sound) for sound in sounds]).astype(np.int16)
    recordings = Recordings(samples, np.arange(clips + 1) * 6000, 16000)
    return Corpus(recordings, torch.zeros(clips, dtype=torch.long), 0), torch.arange(clips) % 4


def clustering_of(trained: Any) -> dict[str, Tensor]:
    """What a clustering gave: the clips' labels, and the classifier of these, with an axis for heads."""
    if hasattr(trained, "label_N"):
        return {"label": trained.label_N[None], "classifier": trained.classifier_KD[None]}
    return {"label": trained.label_HN, "classifier": trained.centroid_HKD}


@pytest.mark.parametrize(("name", "settings"), [("deepcluster", FIRST | {"components": 3}), ("deepcluster-v2", SECOND)])
def test_deepcluster_labels_sounds_by_their_kind(name: str, settings: dict[str, Any]) -> None:
    known, kind = kinds(40)
    chosen = METHODS.choose({"name": name, **settings}).settings
    best = 0.0
    for seed in range(5):  # k-means from four random clips may begin with two of a kind
        torch.manual_seed(seed)
        trained = METHODS.find(name)(chosen, Linear(16, norm=True), views(), known)
        trained.before_epoch()
        trained(waves(8, trained.windows, 0), torch.arange(8))
        best = max(best, adjusted_rand_score(kind, clustering_of(trained)["label"][0]))
    assert best == 1


@pytest.mark.parametrize(("name", "clusters"), [("deepcluster", 10000), ("deepcluster-v2", 3000)])
def test_deepcluster_refuses_more_clusters_than_clips(name: str, clusters: int) -> None:
    with pytest.raises(Mistake, match=f"{clusters} clusters are more than the corpus has clips, 20"):
        method(name, Linear())


def test_deepclusters_weights_amount_to_drawing_clips_uniformly_over_clusters() -> None:
    """Drawn so, a clip of a cluster of n has probability 1 / (clusters * n) instead of 1 / clips."""
    torch.manual_seed(0)
    trained = method("deepcluster", Linear(), **FIRST)
    trained.before_epoch()
    trained(waves(4, 1, 0), torch.arange(4))
    label = trained.label_N
    sizes = {int(k): int((label == k).sum()) for k in label}
    assert len(set(sizes.values())) > 1
    loss = torch.rand(20)
    drawn = sum(loss[label == k].mean() for k in sizes) / len(sizes)
    torch.testing.assert_close((loss * trained.weight_N).mean(), drawn)


def test_deepclusters_classifier_steps_by_plain_descent_and_is_drawn_anew_each_epoch() -> None:
    torch.manual_seed(0)
    trained = method("deepcluster", Linear(), classifier_rate=0.3, **FIRST)
    trained.before_epoch()
    for step in range(2):
        wave, index = waves(8, 1, step), torch.arange(8) + step
        if step == 0:
            trained(wave, index)
        weight, bias = trained.classifier_KD.detach().double(), trained.bias_K.detach().double()
        z = trained.encoder.embed(trained.views(wave[:, 0])).detach().double()
        off = (z @ weight.T + bias).softmax(1) - F.one_hot(trained.label_N[index], 4)
        off *= trained.weight_N[index, None] / 8  # the gradient of the logits
        loss, _ = trained(wave, index)
        loss.backward()
        trained.after_step()
        torch.testing.assert_close(trained.classifier_KD.detach().double(), weight - 0.3 * off.T @ z)
        torch.testing.assert_close(trained.bias_K.detach().double(), bias - 0.3 * off.sum(0))
    trained.before_epoch()
    trained(waves(8, 1, 3), torch.arange(8))
    assert trained.bias_K.eq(0).all()
    assert 0.004 < trained.classifier_KD.std() < 0.02


@pytest.mark.parametrize(("name", "settings"), [("deepcluster", FIRST), ("deepcluster-v2", SECOND)])
def test_deepcluster_clusters_once_an_epoch_and_goes_on_from_its_state(name: str, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    trained = method(name, Linear(norm=True), **settings)
    trained.before_epoch()
    wave = waves(8, trained.windows, 0)
    trained(wave, torch.arange(8))[0].backward()
    trained.after_step()
    other = method(name, Linear(norm=True), **settings)
    other.load_state_dict(trained.state_dict())
    clustered = {key: value.clone() for key, value in clustering_of(trained).items()}
    assert torch.equal(trained(wave, torch.arange(8))[0], other(wave, torch.arange(8))[0])
    assert all(torch.equal(value, clustered[key]) for key, value in clustering_of(trained).items())
    for one in (trained, other):
        one.epoch = 1
        one.before_epoch()
        torch.manual_seed(1)
        one(wave, torch.arange(8))
    assert all(torch.equal(value, clustering_of(other)[key]) for key, value in clustering_of(trained).items())
    assert not torch.equal(clustering_of(trained)["classifier"], clustered["classifier"])


def test_deepcluster_embeds_the_corpus_by_running_statistics_and_leaves_them_be() -> None:
    torch.manual_seed(0)
    encoder = Linear(norm=True)
    trained = method("deepcluster", encoder, **FIRST)
    trained.before_epoch()
    trained.cluster(waves(8, 1, 0))
    assert encoder.map[1].num_batches_tracked == 0
    assert encoder.training


def test_deepcluster_2_is_its_definition() -> None:
    torch.manual_seed(0)
    trained = method("deepcluster-v2", Linear(), **SECOND).eval()
    trained.before_epoch()
    wave, index = waves(6, 4, 0), torch.tensor([3, 19, 7, 0, 11, 2])
    loss, _ = trained(wave, index)
    z = [one.detach().numpy() for one in projections(trained, wave, 1720)]
    terms = []
    for h in range(3):
        centroids = trained.centroid_HKD[h].double().numpy()
        for one in z:
            score = one @ centroids.T / 0.1
            logs = score - np.log(np.exp(score).sum(1, keepdims=True))
            terms.append(-logs[np.arange(6), trained.label_HN[h, index]].mean())
    assert loss.item() == pytest.approx(np.mean(terms), rel=1e-4)


def test_deepcluster_2_remembers_two_windows_and_clusters_them_in_turn() -> None:
    torch.manual_seed(0)
    trained = method("deepcluster-v2", Linear(), **SECOND).eval()
    trained.before_epoch()
    trained.cluster(waves(4, 4, 0))
    torch.testing.assert_close(trained.memory_VND.norm(dim=2), torch.ones(2, 20))
    trained.outdated, before = False, trained.memory_VND.clone()
    wave, index = waves(4, 4, 1), torch.tensor([5, 0, 17, 9])
    centroids = trained.centroid_HKD.clone()
    trained(wave, index)
    made = projections(trained, wave, 1720)
    for v in (0, 1):
        before[v, index] = made[v].float()
    torch.testing.assert_close(trained.memory_VND, before)
    assert torch.equal(trained.centroid_HKD, centroids)
    assert not trained.centroid_HKD.requires_grad
    trained.epoch = 1
    trained.cluster(wave)
    for h, v in enumerate((0, 1, 0)):
        nearest = (trained.memory_VND[v] @ trained.centroid_HKD[h].T).argmax(1)
        assert torch.equal(trained.label_HN[h], nearest)


def test_deepcluster_keeps_its_labels_for_as_many_epochs_as_it_is_told() -> None:
    trained = method("deepcluster", Linear(), reassign=3, **FIRST)
    clustered = []
    for epoch in range(7):
        trained.epoch = epoch
        trained.before_epoch()
        clustered.append(trained.outdated)
        trained(waves(4, 1, epoch), torch.arange(4))
    assert clustered == [True, False, False, True, False, False, True]
