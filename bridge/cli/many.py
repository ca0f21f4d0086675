"""``run --all``: every connection, side by side."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.desk import Desk
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from bridge.many import Command


def run_all(desk: Desk, jobs: int, *words: str) -> int:
    """Run every connection, at most ``jobs`` at a time; ``words`` are further options of each run."""
    from bridge import many
    from bridge.show import connections

    settings = desk.workplace.settings
    if not settings.connections:
        raise SettingsError(
            f"{settings.file or 'The settings'}: there is no connection to run.",
            hint="Add one: beacon-bridge connection add NAME",
        )
    for line in settings.warnings:
        desk.tell(f"warning: {line}")
    inputs = many.inputs(settings.connections.values(), settings.web, sys.stdin.read)
    runs = desk.workplace.runs
    ended = many.Many(_command(desk, words), runs, lambda name, line: desk.tell(f"{name}: {line}")).run(
        inputs, jobs
    )
    desk.show(connections.ended_json(ended, runs), lambda: connections.ended_table(ended, runs))
    return many.exit_code(ended)


def _command(desk: Desk, words: tuple[str, ...]) -> Command:
    from bridge.many import Command

    return Command(
        before=(sys.executable, "-P", "-m", "bridge"),
        after=(*words, *desk.same_words()),
        environment=os.environ,
        folder=Path.cwd(),
    )
