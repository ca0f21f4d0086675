"""How every command begins and ends: the shared options, where results and talk go, errors to exit codes."""

from __future__ import annotations

import functools
import json as json_module
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from bridge.errors import EXIT_GAPS, EXIT_INTERRUPTED, EXIT_USAGE, BridgeError

if TYPE_CHECKING:  # everything else is imported by the command that needs it: --help stays fast
    from bridge.model import Connection, Say
    from bridge.runs.record import Run
    from bridge.workplace import Workplace


class Desk:
    """What the shared options say, and where results and talk go."""

    def __init__(self, config: Path | None, root: Path | None, *, json: bool, verbose: bool) -> None:
        self.config, self.root, self.json, self.verbose = config, root, json, verbose

    @functools.cached_property
    def workplace(self) -> Workplace:
        """The workplace that the options and the settings describe."""
        from bridge import assembly

        return assembly.workplace(self.config, self.root, os.environ, sys.stdin.read)

    def show(self, value: object, lines: Callable[[], object]) -> None:
        """Print a result: JSON for scripts, written as its iterators are asked, else what people see."""
        from bridge.show import screen
        from bridge.show.flow import flow

        if self.json:
            with printing():
                sys.stdout.writelines(chain(flow(value), "\n"))
            return
        drawn, out = lines(), screen.console(sys.stdout)
        with printing():
            for one in drawn if isinstance(drawn, list) else [drawn]:
                out.print(one)

    def tell(self, text: str) -> None:
        """Print a line of talk."""
        _tell(text)

    @contextmanager
    def telling(self) -> Iterator[Say]:
        """Show progress on standard error and keep the program's log."""
        from bridge.runs.journal import journal
        from bridge.show import screen

        with (
            journal(self.workplace.settings.state),
            screen.Teller(screen.talk_console(sys.stderr), verbose=self.verbose) as teller,
        ):
            yield teller

    def connection(self, name: str) -> Connection:
        """Return the connection, after the warnings that every run of it begins with."""
        from bridge import doctor
        from bridge.readers import retired

        settings = self.workplace.settings
        chosen = settings.connection(name)
        warnings = [*settings.warnings, *retired.warnings(chosen.reader), *self._expiring(chosen)]
        for line in (*(f"warning: {one}" for one in warnings), *doctor.retired(settings)):
            self.tell(line)
        return chosen

    def _expiring(self, chosen: Connection) -> list[str]:
        from bridge import expiry, system

        try:
            return expiry.expiring(self.workplace.expiries(chosen), system.now().astimezone().date())
        except BridgeError:  # a credential that cannot be had: whoever needs it says why
            return []

    def same_words(self) -> list[str]:
        """Return the options that make another process of ours work with the same settings and beacon."""
        file = self.workplace.settings.file
        words = ["--config", str(file.absolute())] if file else []
        words += ["--root", str(self.root.absolute())] if self.root else []
        return words + (["--verbose"] if self.verbose else [])

    def by_hand(self, reader: str) -> Connection:
        """Return a connection for a package by hand that belongs to none."""
        from bridge.model import Connection

        return Connection(name="by hand", reader=reader, tenant="unknown")

    def finish(self, run: Run, *, strict: bool = False, reads: bool = False) -> int:
        """Show what a stage made of a run; gaps under ``--strict`` have an exit code of their own."""
        from bridge.show import report

        runs = self.workplace.runs
        self.show(report.run_json(run, runs), lambda: report.outcome_lines(run, runs))
        if reads:
            self.tell_readers()
        return EXIT_GAPS if strict and run.gaps else 0

    def tell_readers(self) -> None:
        """Say who reads the packages that were made."""
        from bridge.package.layout import BRIDGE_1

        self.tell(BRIDGE_1.readers)


def shared(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the shared options, and turn its errors into exit codes."""

    @click.option("--config", type=click.Path(path_type=Path), help="The settings file, bridge.toml.")
    @click.option("--root", type=click.Path(path_type=Path), help="The beacon's data root.")
    @click.option("--json", is_flag=True, help="Print one JSON value on standard output.")
    @click.option("--verbose", is_flag=True, help="Show every line the reader says.")
    @functools.wraps(command)
    def wrapped(config: Path | None, root: Path | None, json: bool, verbose: bool, **rest: object) -> int:
        desk = Desk(config, root, json=json, verbose=verbose)
        try:
            return command(desk, **rest)
        except BridgeError as error:
            return _fail(error, json=json)

    return wrapped


@contextmanager
def printing() -> Iterator[None]:
    """Print a result: one that nobody reads to its end is done, one that cannot be written a BridgeError.

    What stopped the block before its last lines did not go out is what is raised.
    """
    try:
        yield
    except OSError as error:
        from bridge import system

        _let_go(sys.stdout)
        if isinstance(error.__context__, BridgeError | KeyboardInterrupt):
            raise error.__context__ from None
        if not system.is_broken_pipe(error):
            raise BridgeError(
                f"Standard output cannot be written: {error.strerror or error}.",
                hint="Make room there, or send it elsewhere; `beacon-bridge show` tells what was done.",
            ) from error


def examples(*lines: str) -> str:
    """Return a command's examples as click shows them unwrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


# --- words of a command line ---


def reader_name(reader: str) -> str:
    """Return a reader as the settings would name it: what looks like a path becomes an absolute one."""
    is_path = "/" in reader or "\\" in reader
    return str(Path(reader).absolute()) if is_path and not reader.startswith("bridge:") else reader


def step_files(words: tuple[str, ...]) -> dict[str, Path]:
    """Return ``STEP=FILE`` words as a table."""
    files: dict[str, Path] = {}
    for word in words:
        step, _, file = word.partition("=")
        if not step or not file:
            raise click.UsageError(f"{word!r} is not STEP=FILE.")
        if step in files:
            raise click.UsageError(f"{step} is given twice.")
        files[step] = Path(file)
    return files


# --- from the arguments to an exit code ---


def run_command(group: click.Group, arguments: list[str]) -> int:
    """Run one command line and return its exit code; under ``--json`` every end prints one JSON value."""
    json = "--json" in arguments
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, or a program without a console
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # until the end
    code = _run(group, arguments, json=json)
    try:
        with printing():
            sys.stdout.flush()
    except BridgeError as error:  # a full disk may show at the last flush only
        told = _fail(error, json=json)
        code = code or told
    try:
        sys.stderr.flush()
    except OSError:
        _let_go(sys.stderr)
    return code


def _run(group: click.Group, arguments: list[str], *, json: bool) -> int:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a console is a TextIOWrapper
    try:  # not `group.main`, which has an end of its own for Ctrl-C and for a broken pipe
        with group.make_context("beacon-bridge", list(arguments)) as context:
            return int(group.invoke(context) or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except BridgeError as error:  # of the help; a command's own are told in `shared`
        return _fail(error, json=json)
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return _end(EXIT_USAGE, "UsageError", error.format_message(), "beacon-bridge --help", json=json)
    except (click.Abort, KeyboardInterrupt):
        _tell("\nInterrupted.")  # a terminal has shown ^C
        return _end(EXIT_INTERRUPTED, "Interrupted", "The command was interrupted.", "", json=json)
    except Exception as error:  # noqa: BLE001  # the one place: a failure without a name is a bug
        sentence = f"a bug: {type(error).__name__} at {_place(error)}."
        _tell(f"BridgeError: {sentence}\nNext: {BridgeError.hint}")
        return _end(BridgeError.exit_code, "BridgeError", sentence, BridgeError.hint, json=json)


def _tell(text: str) -> None:
    """Print a line on standard error; nobody needs to listen, and a full disk need not take it."""
    with suppress(OSError):
        click.echo(text, err=True)


def _fail(error: BridgeError, *, json: bool) -> int:
    """Tell an error and return its exit code."""
    from bridge.show import screen

    screen.talk_console(sys.stderr).print(screen.error_lines(error))
    if json:
        with suppress(OSError):
            click.echo(screen.as_json(screen.error_json(error), indent=None))
    return error.exit_code


def _end(exit_code: int, name: str, sentence: str, hint: str, *, json: bool) -> int:
    if json:
        facts = {"name": name, "sentence": sentence, "hint": hint, "retryable": False, "exit_code": exit_code}
        with suppress(OSError):
            click.echo(json_module.dumps({"error": facts}, indent=2))
    return exit_code


def _let_go(stream: IO[str]) -> None:
    """Send what a stream still holds nowhere: Python would try again as it ends, and exit with 120."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _place(error: Exception) -> str:
    """Return where a bug is, without the values that were at hand."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown place"
