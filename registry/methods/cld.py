"""CLD: cross-level discrimination of instances and groups."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Literal, cast

from pydantic import Field, field_validator
from torch import Tensor

from registry.encoders import Encoder
from registry.lookup import MethodReference, named
from registry.losses import batch_kmeans, cld, normalised_cuts
from registry.methods import Corpus, Method, projection, unit
from registry.methods.moco import MoCo
from registry.methods.npid import Npid
from registry.settings import Settings
from registry.standing import Objection, Standing, refuse
from registry.views import Views

_GROUPINGS = {"kmeans": batch_kmeans, "spectral": normalised_cuts}


class Cld(Method["Cld.Config"]):
    """NPID or MoCo, and in addition: to which group of the batch's other view does this view belong?

    A second linear head gives group features. They are clustered anew in every batch, each view by itself. The features
    of a view are compared with the centroids of the OTHER view; that view's groups are the labels (Lin 2022, section
    1.2, prints the centroids of the same view, and the temperature outside of the exponent). NPID uses two windows of a
    clip, and averages its loss over them; MoCo uses three: two are queries, and the third is their key.

    The defaults are those of the released script for NPID on CIFAR-10. The script for MoCo on CIFAR-10 has ``clusters:
    200, weight: 0.8, base: {name: moco, queue_size: 12288}``; the script for MoCo v2 on ImageNet has ``clusters: 120,
    weight: 0.25, temperature: 0.4`` and ``base: {name: moco, head: mlp, temperature: 0.2}``. The released option of
    normalised weights in the heads is left out. The order in which NPID's bank stores two views is not stated: here one
    after the other.
    """

    source: ClassVar[str] = "Wang, Liu & Yu 2021, CLD; frank-xwang/CLD-UnsupervisedLearning"
    windows = 3  # 2 with npid
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 200,
        "batch_size": 256,
        "optimizer": "sgd",
        "learning_rate": 0.06,
        "weight_decay": 7e-4,
        "decay_norms": True,
        "schedule": "cosine",
        "warmup_epochs": 5,
    }

    class Config(Settings):
        base: MethodReference = Field(
            named("npid", temperature=0.1, negatives=0), description="npid or moco, with its own settings"
        )
        clusters: int = Field(128, ge=2, description="groups of a batch, at most its size")
        weight: float = Field(1.0, ge=0, description="of the group loss; the base's loss has weight 1")
        temperature: float = Field(0.2, gt=0, description="of the group loss")
        grouping: Literal["kmeans", "spectral"] = Field("kmeans", description="K-means, or normalised cuts")
        iterations: int = Field(5, ge=1, description="of K-means")

        @field_validator("base")
        @classmethod
        def _discriminates_instances(cls, base: MethodReference) -> MethodReference:
            if base.name not in ("npid", "moco"):
                raise ValueError(f"cld goes with npid or moco, not with {base.name}")
            return base

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.base = cast(Npid | MoCo, config.base.build(encoder, views, corpus))
        # The base uses this method's encoder and views. As modules of both methods they would be saved twice.
        del self.base.encoder, self.base.views
        vars(self.base).update(encoder=encoder, views=views)
        self.windows = 3 if isinstance(self.base, MoCo) else 2
        self.group_head = projection("linear", encoder, config.base.settings.dim)

    @classmethod
    def objections(cls, config: Config, standing: Standing) -> Iterable[Objection]:
        yield from super().objections(config, standing)
        if standing.batch is not None and standing.batch < config.clusters:
            what = f"{config.clusters} clusters of a batch of {standing.batch}"
            yield Objection("clusters", what, "use at most as many clusters as a batch has clips")
        base: MethodReference = config.base
        for objection in base.component.objections(base.settings, Standing(batch=standing.batch)):
            yield replace(objection, key=f"base.{objection.key}")

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        refuse(self.objections(self.config, Standing(batch=len(wave_BVT))), "cld")
        base, inputs = self.base, [self.views(wave_BT) for wave_BT in wave_BVT[:, :2].unbind(1)]
        base.chunk, base.ranks, base.autocast = self.chunk, self.ranks, self.autocast
        if isinstance(base, MoCo):
            embedded = [base.embed(x_BCFN, groups=base.config.norm_groups) for x_BCFN in inputs]
            instances = [unit(base.query_head(z_BD)) for z_BD in embedded]
            loss = base.contrast(instances, wave_BVT[:, 2])
        else:
            embedded = [self.embed(x_BCFN) for x_BCFN in inputs]
            instances = [unit(base.head(z_BD)) for z_BD in embedded]
            loss = base.discriminate(instances, index_B)
        loss = loss + self.config.weight * self._between_views(*(unit(self.group_head(z_BD)) for z_BD in embedded))
        return loss, {}

    def after_step(self) -> None:
        self.base.after_step()

    def _between_views(self, a_BD: Tensor, b_BD: Tensor) -> Tensor:
        group, config = _GROUPINGS[self.config.grouping], self.config
        grouped_a, grouped_b = (group(z_BD, config.clusters, config.iterations) for z_BD in (a_BD, b_BD))
        return cld(a_BD, b_BD, grouped_a, grouped_b, config.temperature)
