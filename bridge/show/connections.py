"""Several connections at once, as scripts and people get them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.table import Table

from bridge import doctor, status, system
from bridge.installation import Installed
from bridge.many import Ended
from bridge.runs.store import Runs
from bridge.show import report, screen
from bridge.status import Line


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


# --- status ---


def status_json(line: Line) -> dict[str, object]:
    """Return a connection's status; moments in UTC, the age in seconds, the next start in local time."""
    return {
        "connection": line.connection,
        "overdue": bool(line.exit_code),
        "exit_code": line.exit_code,
        "delivered": system.timestamp(line.delivered) if line.delivered else None,
        "age_seconds": int(line.age.total_seconds()) if line.age is not None else None,
        "run": line.run,
        "outcome": line.outcome,
        "waiting": line.waiting,
        "next_start": _local(line.next_start).isoformat() if line.next_start else None,
        "expires": line.expires.isoformat() if line.expires else None,
        "problems": list(line.problems),
        "warnings": list(line.warnings),
    }


def status_lines(found: Sequence[Line]) -> list[object]:
    """Return the table, a line a connection, and a sentence for each problem and warning."""
    columns = ("Connection", "Delivered", "Age", "Last run", "Waiting", "Next start", "Expires")
    lines: list[object] = [screen.table(columns, (_status_row(one) for one in found))]
    for one in found:
        lines += [f"{one.connection}: {text}" for text in one.problems]
        lines += [f"{one.connection}: warning: {text}" for text in one.warnings]
    return lines


def _status_row(one: Line) -> tuple[str, ...]:
    return (
        one.connection,
        screen.local(one.delivered) if one.delivered else "never",
        status.shown(one.age) if one.age is not None else "-",
        one.outcome,
        str(one.waiting),
        screen.local(_local(one.next_start)) if one.next_start else "-",
        one.expires.isoformat() if one.expires else "-",
    )


def _local(moment: datetime) -> datetime:
    """Return a local time with this machine's offset."""
    return moment.astimezone()


# --- tasks ---

Starts = Mapping[str, tuple[bool, datetime | None]]  # a task's name: is it registered, and its next start


def starts_json(starts: Starts) -> list[dict[str, object]]:
    """Return which tasks are registered, and when each starts next, in local time."""
    return [
        {"task": path, "registered": there, "next_start": _local(start).isoformat() if start else None}
        for path, (there, start) in starts.items()
    ]


def starts_lines(starts: Starts) -> list[object]:
    """Return a line a task."""
    rows = (
        (path, "registered" if there else "not registered", screen.local(_local(start)) if start else "-")
        for path, (there, start) in starts.items()
    )
    return [screen.table(("Task", "State", "Next start"), rows)]


def installed_json(done: Installed) -> dict[str, object]:
    """Return the tasks that were registered, and the findings of each connection's check."""
    return {
        "tasks": list(done.tasks),
        "checks": [
            {"connection": one.connection, "findings": [doctor.as_json(finding) for finding in one.findings]}
            for one in done.checks
        ],
    }


def installed_lines(done: Installed) -> list[object]:
    """Return the same for people."""
    lines: list[object] = [f"registered {path}" for path in done.tasks]
    for one in done.checks:
        lines.append(f"{one.connection}, checked as its task runs it:")
        lines += [f"  {finding.line}" for finding in one.findings]
    return lines
