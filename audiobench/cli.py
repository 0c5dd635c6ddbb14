"""The command line: a file a subcommand in ``audiobench/commands``. Nothing heavy is imported before it is needed."""

import os
import sys

import typer

from audiobench.commands import data, leaderboard, list_, plan, report, run, schema, show, store

app = typer.Typer(
    name="audiobench",
    help="A benchmark harness for audio representations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("list")(list_.list_)
app.command("show")(show.show)
app.add_typer(data.app, name="data")
app.command("leaderboard")(leaderboard.leaderboard)
app.command("report")(report.report)
app.add_typer(store.app, name="store")
app.command("schema")(schema.schema)


def main() -> None:
    """Runs the command line: exit status 0 all done, 1 some jobs failed, 2 the request was wrong, 130 interrupted."""
    from registry.errors import Mistake, Mistakes

    # Threads that spin while they wait make a step up to ten times slower when anything else runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except (Mistake, Mistakes) as mistake:
        if "--debug" in sys.argv:
            raise
        print(f"audiobench: {mistake}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
