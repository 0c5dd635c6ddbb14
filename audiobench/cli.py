"""The command line. Each subcommand is a file in ``audiobench/commands``. Heavy modules are imported where needed.

The imports at the top take no time: until ``main`` is called, Ctrl-C shows a traceback.
"""

import os
import signal
import sys

from benchmark.signals import heeded

TYPE_CHECKING = False  # importing ``typing`` takes time, too
if TYPE_CHECKING:
    from types import FrameType

    from typer import Typer

_SIGNALLED = 128  # and the signal's number
_INTERRUPTED = _SIGNALLED + 2


def main() -> None:
    """Runs the command line: exit status 0 all done, 1 some jobs failed, 2 the request was wrong.

    After a signal it is 128 and the signal's number: 130 after Ctrl-C.
    """
    plain = (signal.SIG_DFL, signal.default_int_handler)  # else whoever calls this chose what a signal does
    before = {number: signal.signal(number, interrupt) for number in heeded() if signal.getsignal(number) in plain}
    # Waiting threads that spin make a step up to ten times slower when another program runs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "" not in sys.path:
        sys.path.append("")  # a suite may name a class that lies here; the last place, so that it hides nothing
    try:
        status = _run()
    except KeyboardInterrupt as stop:
        status = getattr(stop, "status", _INTERRUPTED)
        _call_if_loaded("benchmark.live", "leave")  # a second Ctrl-C may have come while the view was taken away
        _tell(status)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _flush()
    if status > _SIGNALLED and _are_threads_left():
        os._exit(status)
    sys.exit(status)


def _run() -> int:
    """Runs the command, writes out all its output, and returns its exit status."""
    from contextlib import suppress

    from benchmark.memory import shortage
    from benchmark.store.files import refusal
    from registry.errors import Mistake, Mistakes
    from registry.text import say

    try:
        _speak_any_encoding()
        status = _call()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has closed it
        return 0
    except (Mistake, Mistakes, OSError, UnicodeEncodeError, MemoryError) as error:
        if "--debug" in sys.argv:
            raise
        shown: Exception = error
        if shortage(error):
            shown = Mistake("the memory was too small", fix="end other programs, or run it where there is more memory")
        elif isinstance(error, UnicodeEncodeError):
            shown = Mistake(f"the locale cannot name a file: {error}", fix="set PYTHONUTF8=1")
        elif isinstance(error, OSError):
            shown = refusal(error)
        with suppress(OSError):
            say(f"audiobench: {shown}", sys.stderr)
        return 2
    return status


def _call() -> int:
    from registry.errors import Interrupted

    try:
        _app()(prog_name="audiobench")  # however it was called: shells know it by this name
    except SystemExit as end:  # Typer ends with this, also when a pipe broke
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        if end.__context__ and isinstance(end.__context__.__cause__, Interrupted):
            raise end.__context__.__cause__ from None
        return end.code if isinstance(end.code, int) else 0
    return 0


def _app() -> "Typer":
    from typer import Typer

    from audiobench.commands import (
        check,
        data,
        doctor,
        embed,
        export,
        job,
        leaderboard,
        list_,
        new,
        plan,
        report,
        run,
        schema,
        show,
        site,
        store,
    )
    from audiobench.examples import examples

    app = Typer(
        name="audiobench",
        help="A benchmark harness for audio representations.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.command("run", epilog=examples("run"))(run.run)
    app.command("plan", epilog=examples("plan"))(plan.plan)
    app.command("job", epilog=examples("job"))(job.job)
    app.command("list", epilog=examples("list"))(list_.list_)
    app.command("show", epilog=examples("show"))(show.show)
    app.command("check", epilog=examples("check"))(check.check)
    app.command("doctor", epilog=examples("doctor"))(doctor.doctor)
    app.add_typer(new.app, name="new")
    app.add_typer(data.app, name="data")
    app.command("leaderboard", epilog=examples("leaderboard"))(leaderboard.leaderboard)
    app.command("report", epilog=examples("report"))(report.report)
    app.command("site", epilog=examples("site"))(site.site)
    app.command("embed", epilog=examples("embed"))(embed.embed)
    app.command("export", epilog=examples("export"))(export.export)
    app.add_typer(store.app, name="store")
    app.command("schema", epilog=examples("schema"))(schema.schema)
    return app


def _are_threads_left() -> bool:
    """Whether threads are still at work, so that the interpreter would wait for them."""
    import threading

    return any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())


def interrupt(number: int, frame: "FrameType | None") -> None:
    """Handles Ctrl-C and its like. During an import the program ends: some modules treat an interrupt as an error."""
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_IGN)  # some systems send it twice: no second one stops the clearing up
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _call_if_loaded("benchmark.live", "leave")
            _call_if_loaded("benchmark.store.leases", "abandon")
            _tell(_SIGNALLED + number)
            os._exit(_SIGNALLED + number)
        frame = frame.f_back
    from registry.errors import Interrupted

    raise Interrupted(number)


def _call_if_loaded(module: str, name: str) -> None:
    """Calls a function of a module, unless that is not loaded, or not to its end."""
    function = getattr(sys.modules.get(module), name, None)
    if function:
        function()


def _tell(status: int) -> None:
    """Says in a line which signal ended the program."""
    try:
        os.write(2, f"audiobench: interrupted by {signal.Signals(status - _SIGNALLED).name}\n".encode())
    except OSError:  # nobody reads it
        return


def _speak_any_encoding() -> None:
    """Makes output possible where stdout or stderr is not UTF-8, or is closed."""
    from io import TextIOWrapper
    from pathlib import Path

    from leaderboard.terminal import SPELLED

    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the program
        if isinstance(stream := getattr(sys, name), TextIOWrapper):
            stream.reconfigure(errors=SPELLED)


def _flush() -> None:
    """Writes the rest of the output, or drops it: else the interpreter would complain if it cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
