"""The fields of a suite file."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.suite.rules import Rule
from registry.windows import Crop

Reference = str | dict[str, Any]


class Entry(BaseModel):
    """One row of the leaderboard: an encoder and where its weights come from."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    encoder: Reference | None = Field(None, description="replaces or refines the suite's encoder")
    frontend: Reference | None = Field(None, description="replaces or refines the suite's front end")
    augment: list[Reference] | None = Field(None, description="augmentations, instead of the suite's")
    crop: Crop | None = Field(None, description="seconds, or whole, instead of the suite's")
    weights: Reference | None = Field(
        None,
        description="random, imagenet, {imagenet: PATH}, {checkpoint: PATH}, {pretrain: METHOD, ...}; or own, the "
        "default of an encoder that brings its weights",
    )
    protocols: list[str] | None = Field(None, description="a selection of the suite's protocols; all by default")
    control: str | None = Field(
        None, description="instead of the suite's control: an entry with another encoder needs another control"
    )


class Suite(BaseModel):
    """A suite file."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    schema_version: Literal[1] = Field(1, description="of this schema")
    extends: str | None = Field(
        None,
        description="another suite file, relative to this one, that this one overrides; null removes one of its keys",
    )
    name: str = Field(..., pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$", description="name of its tables")
    title: str = Field("", description="title of its tables")
    reproduces: str | None = Field(
        None, description="the published table whose figures stand beside the measured ones: lin2022/table-3.1"
    )
    anchors: list[str] = Field(
        [],
        description="systems of leaderboard/anchors.csv to list, or hear, evar, xares: all that these published",
    )
    control: str | None = Field(None, description="the entry that every other entry is compared with, clip by clip")
    selection: Rule = Field("last", description="rule that picks the epoch whose figures are shown")
    seeds: list[int] = Field([0], min_length=1, description="every job with randomness is done once for each seed")
    plugins: list[str] = Field([], description="Python files with components, relative to the suite file")
    frontend: Reference | None = Field(
        None, description="of every entry that does not name its own; an encoder that brings its weights needs none"
    )
    augment: list[Reference] = Field([], description="augmentations while training")
    samples: Literal["int16", "float32"] = Field(
        "int16",
        description="type of decoded samples on disk: float32 neither rounds nor clips, and takes twice the space",
    )
    crop: Crop = Field(
        ...,
        description="seconds of a training crop and of an evaluation window; whole: evaluation embeds each clip in one "
        "piece, and a pretraining has a crop of its own",
    )
    encoder: Reference | None = Field(None, description="of every entry that does not name its own")
    pretrain: dict[str, Any] = Field(
        {}, description="corpus, augment, monitor, epochs, batch_size, ... of every pretraining"
    )
    entries: dict[str, Entry] = Field(..., min_length=1, description="the rows of the leaderboard, by name")
    sweep: dict[str, Any] = Field(
        {},
        description="for an entry, a grid or several: lists of values by dotted path; each point becomes an entry",
    )
    tasks: list[Reference] | dict[str, Reference] = Field(
        ..., min_length=1, description="the data sets to evaluate on, a column each; a mapping names the columns"
    )
    protocols: dict[str, dict[str, Any] | None] = Field(
        ..., min_length=1, description="settings by protocol name, with shots and draws if it works on embeddings"
    )
    class_wise: dict[str, int] = Field({}, description="by task, the fold whose figures are shown for each class")
    scales: dict[str, dict[str, Any]] = Field({}, description="named overrides of anything above")
