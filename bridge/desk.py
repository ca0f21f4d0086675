"""How every command begins and ends: the shared options, where results and talk go, errors to exit codes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.errors import BridgeError

if TYPE_CHECKING:  # everything else is imported by the command that needs it: --help stays fast
    from bridge.model import Say
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
        """Print a result: JSON for scripts, else what people see."""
        from bridge.show import screen

        if self.json:
            click.echo(screen.as_json(value))
            return
        out = screen.console(sys.stdout)
        drawn = lines()
        for one in drawn if isinstance(drawn, list) else [drawn]:
            out.print(one)

    def tell(self, text: str) -> None:
        """Print a line of talk."""
        click.echo(text, err=True)

    @contextmanager
    def telling(self) -> Iterator[Say]:
        """Show progress on standard error."""
        from bridge.show import screen

        with screen.Teller(screen.console(sys.stderr), verbose=self.verbose) as teller:
            yield teller

    def fail(self, error: BridgeError) -> int:
        """Print an error and return its exit code."""
        from bridge.show import screen

        if self.json:
            click.echo(screen.as_json(screen.error_json(error)))
        screen.console(sys.stderr).print(screen.error_lines(error))
        return error.exit_code


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
            return desk.fail(error)

    return wrapped


def examples(*lines: str) -> str:
    """Return a command's examples as click shows them unwrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
