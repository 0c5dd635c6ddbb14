"""Options that several subcommands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from audiobench import completion
from benchmark.suite.rules import Rule

SuiteName = Annotated[
    str,
    typer.Argument(
        metavar="SUITE", help="Path of a suite file, or name of a shipped suite.", autocompletion=completion.suites
    ),
]
Entry = Annotated[
    str,
    typer.Argument(
        help="An entry of a suite; or the folder of an export, or of a pretraining: RUNS/pretrain/KEY.",
        autocompletion=completion.entries,
    ),
]
SuiteOfEntry = Annotated[
    str | None,
    typer.Option(
        help="Path or name of the entry's suite; by default the one that was run and has it.",
        autocompletion=completion.suites,
    ),
]
Scale = Annotated[
    str | None, typer.Option(help="One of the suite's scales, such as cpu.", autocompletion=completion.scales)
]
Data = Annotated[
    Path | None, typer.Option(envvar="AUDIOBENCH_DATA", help="Folder that holds the data sets.", file_okay=False)
]
Runs = Annotated[
    Path, typer.Option(envvar="AUDIOBENCH_RUNS", help="Folder of records and checkpoints.", file_okay=False)
]
Seeds = Annotated[list[int] | None, typer.Option("--seed", help="Instead of the suite's seeds; may be repeated.")]
Plugins = Annotated[list[Path] | None, typer.Option("--plugin", help="Python file with components; may be repeated.")]
Entries = Annotated[
    list[str] | None,
    typer.Option("--entry", help="Only this entry; may be repeated.", autocompletion=completion.entries),
]
Tasks = Annotated[
    list[str] | None, typer.Option("--task", help="Only this task; may be repeated.", autocompletion=completion.columns)
]
Protocols = Annotated[
    list[str] | None,
    typer.Option("--protocol", help="Only this protocol; may be repeated.", autocompletion=completion.protocols),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Precision = Annotated[Literal["auto", "fp32", "bf16"], typer.Option(help="auto: bf16 on a GPU, fp32 on a CPU.")]
Devices = Annotated[int, typer.Option(min=1, help="For each pretraining; a GPU each, or on a CPU a process.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave unusable recordings out, and record which.")]
OF_KINDS = "encoders, weights, frontends, augmentations, methods, tasks, targets, protocols."
Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help="Where scalars of running jobs go: tensorboard, mlflow, wandb, or none; may be repeated.",
        show_default="tensorboard, if installed",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, and nothing else, on standard output: docs/json.md.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
RUNS = Path("runs")
MergedRuns = Annotated[
    Path | None,
    typer.Option(
        envvar="AUDIOBENCH_RUNS",
        help="Folder of records and checkpoints.",
        file_okay=False,
        show_default=f"{RUNS}, unless there is --from",
    ),
]
Others = Annotated[
    list[Path] | None,
    typer.Option("--from", help="Merge in the results of this folder; may be repeated.", exists=True, file_okay=False),
]
Selection = Annotated[
    Rule | None,
    typer.Option(help="Rule that picks the epoch, instead of the suite's."),
]


def folders_of(runs: Path | None, others: list[Path] | None) -> list[Path]:
    """The folders to read records from, the first of them the one to write into."""
    return [*([runs] if runs else []), *(others or [])] or [RUNS]
