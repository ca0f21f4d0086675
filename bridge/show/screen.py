"""What people see: tables, stories and progress on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import IO, Literal, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bridge.errors import BridgeError
from bridge.model import Talk


class _Plain(Console):
    """A console that takes every text as it is: no markup, no guessing at numbers.

    Only a terminal has a width; in a file nothing is folded.
    """

    def __init__(self, file: IO[str]) -> None:
        width = None if file.isatty() else 1000
        super().__init__(file=file, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Let the command decide; rich would end the program."""
        raise BrokenPipeError


class _Talk(_Plain):
    """A console whose silence harms nobody: the work goes on when no one listens, or a full disk does."""

    def __exit__(self, *error: object) -> None:
        """Write what was printed; say nothing from now on if that fails."""
        try:
            super().__exit__(*error)
        except OSError:
            self.quiet = True


def console(file: IO[str]) -> Console:
    """Return a console for results."""
    return _Plain(file)


def talk_console(file: IO[str]) -> Console:
    """Return a console for talk."""
    return _Talk(file)


def as_json(value: object, *, indent: int | None = 2) -> str:
    """Return one JSON value, ASCII only, so that no code page can break it."""
    return json.dumps(value, indent=indent, ensure_ascii=True, default=str)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table whose cells are plain text; a column headed ``#`` or ``Rows`` is right-aligned."""
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        justify: Literal["left", "right"] = "right" if name in {"#", "Rows"} else "left"
        drawn.add_column(name, justify=justify, overflow="fold", no_wrap=name == "Run")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def local(moment: datetime) -> str:
    """Return a moment in this machine's time, with its offset."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def error_lines(error: BridgeError) -> Text:
    """Return the sentence and the hint of an error."""
    return Text.assemble(
        (f"{type(error).__name__}: ", "bold red"), str(error), ("\nNext: ", "bold"), error.hint
    )


def error_json(error: BridgeError) -> dict[str, object]:
    """Return an error as `--json` shows it."""
    return {
        "error": {
            "name": type(error).__name__,
            "sentence": str(error),
            "hint": error.hint,
            "retryable": error.retryable,
            "exit_code": error.exit_code,
        }
    }


class Teller:
    """A Say that shows a run's progress: a live line on a terminal, plain lines elsewhere."""

    def __init__(self, out: Console, *, verbose: bool) -> None:
        self._out = out
        self._verbose = verbose
        self._live: Progress | None = None
        self._tasks: dict[str, int] = {}
        if out.is_terminal:
            self._live = Progress(
                SpinnerColumn("line"),  # the one that every console's code page has
                BarColumn(20),
                TextColumn("{task.description}", markup=False),
                TextColumn("{task.completed:,.0f} rows"),
                TimeElapsedColumn(),
                console=out,
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, talk: Talk) -> None:
        """Show one thing that happens."""
        if talk.kind == "stage":
            self._out.print(Text(talk.text, style="bold"))
        elif talk.kind == "step":
            self._step(talk)
        elif talk.kind == "rows":
            self._rows(talk)
        elif talk.kind in {"gap", "wait"} or self._verbose:
            self._out.print(Text(f"  {talk.kind}: {talk.text}", style="yellow" if talk.kind == "gap" else ""))

    def _step(self, talk: Talk) -> None:
        if talk.done:
            self._out.print(Text(f"  {talk.step}: {talk.rows:,} rows"))
        if self._live is None:
            return
        if talk.done and talk.step in self._tasks:
            self._live.remove_task(self._tasks.pop(talk.step))  # type: ignore[arg-type]  # a TaskID is an int
        elif not talk.done:
            self._tasks[talk.step] = self._live.add_task(talk.step, total=None)

    def _rows(self, talk: Talk) -> None:
        if self._live is None:
            self._out.print(Text(f"  {talk.step}: {talk.rows:,} rows so far"))
        elif talk.step in self._tasks:
            self._live.update(self._tasks[talk.step], completed=talk.rows)  # type: ignore[arg-type]  # see above
