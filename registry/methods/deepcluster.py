"""DeepCluster: clusters of the corpus are the labels."""

from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.clustering import kmeans, whiten
from registry.encoders import Encoder
from registry.methods import Corpus
from registry.methods._corpus import ClusteringSettings, CorpusClustering
from registry.views import Views

_DEVIATION = 0.01  # of the weights of a new classifier


class DeepCluster(CorpusClustering["DeepCluster.Config"]):
    """Predicts the cluster of each clip. The corpus is clustered anew in every epoch, by the encoder's own embeddings.

    The clusters are those of whitened principal components of a random window of every clip, not augmented. Each
    clustering begins a new classifier, which learns by a plain SGD of its own. The source draws clips uniformly over
    clusters. Here every clip comes once an epoch, and its loss is weighted by the inverse size of its cluster: the
    gradient is the same on average.
    """

    source: ClassVar[str] = "Caron et al. 2018, DeepCluster; facebookresearch/deepcluster"
    windows = 1
    fewest = 1
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 200,
        "batch_size": 256,
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "weight_decay": 1e-5,
        "decay_norms": True,
        "schedule": "constant",
    }

    class Config(ClusteringSettings):
        clusters: int = Field(10000, ge=2, description="of k-means; at most as many as clips")
        iterations: int = Field(20, ge=1, description="of k-means")
        reassign: int = Field(1, ge=1, description="epochs from one clustering to the next; the source's is 1")
        components: int = Field(256, ge=1, description="principal components, at most those of the embedding")
        classifier_rate: float = Field(0.05, gt=0, description="learning rate of the classifier")

    label_N: Tensor
    weight_N: Tensor
    classifier_KD: Tensor
    bias_K: Tensor

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.register_buffer("label_N", torch.zeros(len(corpus), dtype=torch.long))
        self.register_buffer("weight_N", torch.ones(len(corpus)))
        self.register_buffer("classifier_KD", torch.zeros(config.clusters, encoder.embedding_dim))
        self.register_buffer("bias_K", torch.zeros(config.clusters))

    def before_epoch(self) -> None:
        self.outdated = self.epoch % self.config.reassign == 0

    @torch.no_grad()
    def cluster(self, wave_BVT: Tensor) -> None:
        """Sets labels and weights of all clips by k-means of their whitened embeddings, and begins a new classifier."""
        training = self.training
        self.eval()
        embedded_ND = self.embed_corpus(wave_BVT, Views(self.views.frontend))
        self.train(training)
        label_N, _ = kmeans(whiten(embedded_ND, self.config.components), self.config.clusters, self.config.iterations)
        size_K = torch.bincount(label_N, minlength=self.config.clusters)
        self.label_N.copy_(label_N)
        self.weight_N.copy_(len(label_N) / (size_K[label_N] * (size_K > 0).sum()))
        self.classifier_KD.normal_(0, _DEVIATION)
        self.bias_K.zero_()

    def predict(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        z_BD = self.embed(self.views(wave_BVT[:, 0]))
        logits_BK = F.linear(z_BD, self.classifier_KD.requires_grad_(), self.bias_K.requires_grad_())
        loss_B = F.cross_entropy(logits_BK, self.label_N[index_B], reduction="none")
        return (loss_B * self.weight_N[index_B]).mean(), {}

    @torch.no_grad()
    def after_step(self) -> None:
        """Trains the classifier by one step."""
        for weight in (self.classifier_KD, self.bias_K):
            assert weight.grad is not None
            weight.sub_(self.config.classifier_rate * weight.grad)
            weight.grad = None
