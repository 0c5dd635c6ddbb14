"""Examples that ``--help`` shows below the options of each command."""

_EXAMPLES = {
    "run": (
        "audiobench run quickstart",
        "audiobench run esc10 --scale cpu --data DATA",
        "audiobench run mine.yaml --entry moco --protocol knn --watch",
        "audiobench run mine.yaml --executor slurm --slurm partition=gpu",
    ),
    "plan": (
        "audiobench plan quickstart",
        "audiobench plan esc10 --scale cpu --data DATA --calibrate",
        "audiobench plan mine.yaml --commands",
    ),
    "job": ("audiobench job 3f2a9c1b --suite mine.yaml --runs RUNS",),
    "list": (
        "audiobench list",
        "audiobench list methods",
        "audiobench list encoders --plugin my_net.py --json",
    ),
    "show": ("audiobench show methods moco", "audiobench show tasks folder --json"),
    "check": (
        "audiobench check my_net.py",
        "audiobench check '{name: cnn14, fc1: true}' --frontend panns",
        "audiobench check tasks esc50 --data DATA",
    ),
    "doctor": ("audiobench doctor", "audiobench doctor --data DATA --json"),
    "new suite": (
        "audiobench new suite mine",
        "audiobench new suite birds --from recordings",
    ),
    "new encoder": ("audiobench new encoder my-net",),
    "new method": ("audiobench new method my-method",),
    "new task": ("audiobench new task my-task",),
    "new protocol": ("audiobench new protocol my-protocol",),
    "new target": ("audiobench new target my-target",),
    "data fetch": (
        "audiobench data fetch esc50 --data DATA",
        "audiobench data fetch esc50 --data DATA --from ESC-50-master.zip",
    ),
    "data verify": (
        "audiobench data verify esc50 --data DATA",
        "audiobench data verify '{name: folder, path: birds}' --data DATA --json",
    ),
    "data audit": (
        "audiobench data audit --data DATA",
        "audiobench data audit esc50 gtzan --content --data DATA",
    ),
    "leaderboard": (
        "audiobench leaderboard quickstart",
        "audiobench leaderboard esc10 --scale cpu --format latex",
        "audiobench leaderboard esc10 --json --output board.json",
        "audiobench leaderboard esc10 --output board.md --check",
    ),
    "report": (
        "audiobench report quickstart",
        "audiobench report esc10 --scale cpu --data DATA --figures figures",
    ),
    "site": ("audiobench site public", "audiobench site public esc10 --scale cpu"),
    "embed": (
        "audiobench embed moco recordings --output vectors.parquet",
        "audiobench embed moco one.wav two.flac -o vectors.npy --suite quickstart",
    ),
    "export": (
        "audiobench export moco --to moco --suite quickstart",
        "audiobench export moco --to moco-onnx --format onnx",
    ),
    "store check": ("audiobench store check", "audiobench store check --runs RUNS --yes"),
    "store clean": ("audiobench store clean", "audiobench store clean --yes"),
    "store push": ("audiobench store push 3f2a9c1b s3://bucket/packs",),
    "store pull": ("audiobench store pull 3f2a9c1b",),
    "schema": ("audiobench schema",),
}


def examples(command: str) -> str:
    """The examples of a command, as the last part of its help; each in a line of its own."""
    shown = _EXAMPLES[command]
    return "\n  ".join(["Examples:" if len(shown) > 1 else "Example:", *shown])
