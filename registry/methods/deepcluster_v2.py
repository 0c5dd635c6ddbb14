"""DeepCluster, version 2: centroids of stored projections are the classifiers."""

from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.clustering import kmeans
from registry.encoders import Encoder
from registry.methods import Corpus, mlp, unit
from registry.methods._corpus import ClusteringSettings, CorpusClustering
from registry.methods._multicrop import project
from registry.methods.swav import SwAV
from registry.views import Views


class DeepClusterV2(CorpusClustering["DeepClusterV2.Config"]):
    """Predicts the cluster of a clip from each of its windows. The corpus's projections are clustered in every epoch.

    The projections of two whole windows are stored during training. They are clustered on the sphere, once for each
    head; the heads use the first and the second window by turns. The centroids are the classifiers, and do not train.
    The recipe is SwAV's.
    """

    source: ClassVar[str] = "Caron et al. 2020, SwAV; facebookresearch/swav:main_deepclusterv2.py"
    windows = 8
    recipe = SwAV.recipe

    class Config(ClusteringSettings):
        iterations: int = Field(10, ge=1, description="of k-means")
        heads: int = Field(3, ge=1, description="clusterings")
        temperature: float = Field(0.1, gt=0, description="divides the similarities to centroids")
        dim: int = Field(128, ge=1, description="size of the projections")
        hidden: int = Field(2048, ge=1, description="hidden layer of the head")
        short: int = Field(6, ge=0, description="short windows of each clip, besides two whole ones")
        short_length: float = Field(0.43, gt=0, le=1, description="share of a whole window; 96 of 224 pixels")

    memory_VND: Tensor
    label_HN: Tensor
    centroid_HKD: Tensor

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.windows = 2 + config.short
        self.head = mlp(encoder.embedding_dim, config.hidden, config.dim)
        self.register_buffer("memory_VND", torch.zeros(2, len(corpus), config.dim))
        self.register_buffer("label_HN", torch.zeros(config.heads, len(corpus), dtype=torch.long))
        self.register_buffer("centroid_HKD", torch.zeros(config.heads, config.clusters, config.dim))

    @torch.no_grad()
    def cluster(self, wave_BVT: Tensor) -> None:
        """Sets the centroids and labels of all clips by spherical k-means of the stored projections, for each head."""
        if self.epoch == 0:
            for projection_ND in self.memory_VND:
                projection_ND.copy_(unit(self.head(self.embed_corpus(wave_BVT, self.views))))
        config = self.config
        for i in range(config.heads):
            clustered = kmeans(self.memory_VND[i % 2], config.clusters, config.iterations, spherical=True)
            self.label_HN[i], self.centroid_HKD[i] = clustered

    def predict(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        z_VBD = project(self, self.head, wave_BVT, self.config.short_length)
        logits_HVBK = torch.einsum("vbd,hkd->hvbk", z_VBD, self.centroid_HKD) / self.config.temperature
        label_HVB = self.label_HN[:, index_B].unsqueeze(1).expand(-1, len(z_VBD), -1)
        self.memory_VND[:, index_B] = z_VBD[:2].detach()
        loss = F.cross_entropy(logits_HVBK.flatten(0, 2), label_HVB.flatten())
        return loss, {}
