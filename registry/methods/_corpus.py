"""Methods that cluster the whole corpus by their own embeddings, such as both versions of DeepCluster."""

from collections.abc import Iterable

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import TypeVar  # typing's has no default before Python 3.13

from registry.audio import on_device
from registry.encoders import Encoder
from registry.methods import Corpus, Method
from registry.settings import Settings
from registry.standing import Objection, Standing
from registry.views import Views


class ClusteringSettings(Settings):
    """Settings of every such method."""

    clusters: int = Field(3000, ge=2, description="of k-means; at most as many as clips")


Clustering = TypeVar("Clustering", bound=ClusteringSettings, default=ClusteringSettings, covariant=True)


class CorpusClustering(Method[Clustering]):
    """Clusters the corpus in the first step of an epoch, into as many clusters as the settings say.

    It waits for this step because the step's batch shows the length of a window, and the device. ``embed_corpus`` ends
    where the training is asked to stop: ``cluster`` changes nothing before that, except in the very first step.

    Args:
        config: the method's own ``Config``.
        encoder: the net to pretrain.
        views: turns waveforms into augmented encoder inputs.
        corpus: the clips to pretrain on.
    """

    def __init__(self, config: Clustering, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.recordings = corpus.recordings
        self.outdated = False  # the next step clusters

    @classmethod
    def objections(cls, config: ClusteringSettings, standing: Standing) -> Iterable[Objection]:
        yield from super().objections(config, standing)
        if standing.clips is not None and config.clusters > standing.clips:
            what = f"{config.clusters} clusters are more than the corpus has clips, {standing.clips}"
            yield Objection("clusters", what, "lower clusters, to a tenth of the clips, say")

    def cluster(self, wave_BVT: Tensor) -> None:
        """Renews the labels of all clips, without gradients; the batch shows the windows' length and the device."""
        raise NotImplementedError

    def predict(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a step against these labels, and named scalars, as ``forward`` returns them."""
        raise NotImplementedError

    def before_epoch(self) -> None:
        self.outdated = True

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        if self.outdated:
            self.cluster(wave_BVT)
            self.outdated = False
        return self.predict(wave_BVT, index_B)

    def embed_corpus(self, wave_BVT: Tensor, views: Views) -> Tensor:
        """Embeddings ``[N, D]`` of a random window of every clip, in batches like this one."""
        embedded = []
        for clips in torch.arange(len(self.recordings)).split(len(wave_BVT)):
            self.pause()
            wave_B1T = self.recordings.crops(clips, wave_BVT.shape[2], 1, torch.default_generator, wave_BVT.device)
            embedded.append(self.embed(views(on_device(wave_B1T[:, 0], wave_BVT.device))))
        return torch.cat(embedded)
