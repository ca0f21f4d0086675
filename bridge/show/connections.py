"""Several connections at once, as scripts and people get them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from bridge.many import Ended
from bridge.runs.store import Runs
from bridge.show import report, screen


def ended_json(ended: Sequence[Ended], runs: Runs) -> list[dict[str, object]]:
    """Return how each connection ended: its exit code, its run if it got that far, its error if it failed."""
    return [
        {
            "connection": one.connection,
            "exit_code": one.exit_code,
            "run": report.run_json(one.run, runs) if one.run else None,
            "error": dict(one.error) if one.error else None,
        }
        for one in ended
    ]


def ended_table(ended: Sequence[Ended], runs: Runs) -> Table:
    """Return one line a connection."""
    columns = ("Connection", "Run", "State", "Rows", "Package", "Exit", "Why")
    return screen.table(columns, (_ended_row(one, runs) for one in ended))


def _ended_row(one: Ended, runs: Runs) -> tuple[str, ...]:
    made = one.run
    facts = (made.run, str(made.state), f"{made.rows:,}", runs.place(made)) if made else ("-", "-", "-", "-")
    return (one.connection, *facts, str(one.exit_code), one.why)
