"""Measuring: the CPU time and the peak memory of child processes, rounds of them, and their medians."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """What several rounds measured: one value a round; ``unit`` is ``x`` for a ratio, or MB."""

    name: str
    what: str
    values: tuple[float, ...]
    unit: str = "x"
    target: float | None = None
    goal: float | None = None
    skipped: str = ""

    @property
    def median(self) -> float:
        """Return the middle value."""
        return median(self.values)

    @property
    def verdict(self) -> str:
        """Return what the figure means."""
        if self.skipped:
            return f"skipped: {self.skipped}"
        if self.target is None:
            return "for information"
        if self.goal is not None and self.median <= self.goal:
            return "goal met"
        return "target met" if self.median <= self.target else "TARGET MISSED"

    def as_json(self) -> dict[str, Any]:
        """Return the figure for scripts."""
        measured = self.median if self.values else None
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "median": measured,
            "values": list(self.values),
            "target": self.target,
            "goal": self.goal,
            "verdict": self.verdict,
        }


def rounds(count: int, jobs: Mapping[str, Callable[[], float]]) -> list[dict[str, float]]:
    """Run the jobs in turn, ``count`` times over: a slow minute of the machine falls on all of them."""
    return [{name: job() for name, job in jobs.items()} for _ in range(count)]


def ratios(found: Sequence[Mapping[str, float]], above: str, below: str) -> tuple[float, ...]:
    """Return one job's figure divided by another's, round by round."""
    return tuple(one[above] / one[below] for one in found)


def table(figures: Sequence[Figure]) -> list[str]:
    """Return the lines of the table that people read."""
    head = ("", "what", "median", "spread", "target", "goal", "")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(figure: Figure) -> tuple[str, ...]:
    measured = spread = "-"
    if figure.values:
        measured = _shown(figure.median, figure.unit)
        spread = f"{_shown(min(figure.values), figure.unit)} to {_shown(max(figure.values), figure.unit)}"
    limits = ("-" if one is None else _shown(one, figure.unit) for one in (figure.target, figure.goal))
    return (figure.name, figure.what, measured, spread, *limits, figure.verdict)


def _shown(value: float, unit: str) -> str:
    return f"{value:.1f} MB" if unit == "MB" else f"{value:.2f}"


# --- child processes ---


def cpu(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> float:
    """Run a command to its good end and return the CPU seconds of it and of its children."""
    before = children_seconds()
    run(command, environment=environment)
    return children_seconds() - before


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
    """Run a command in the checkout and return its standard output; its error output is shown if it fails."""
    given = {**os.environ, **(environment or {})}
    done = subprocess.run(
        list(command), cwd=ROOT, env=given, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr.decode(errors='replace')}"
        )
    return done.stdout.decode()


def children_seconds() -> float:
    """Return the CPU seconds of all children that have ended so far, and of theirs."""
    if sys.platform == "win32":
        raise SystemExit(
            "python -m tools.bench measures with getrusage, which Windows lacks: run it on Linux."
        )
    import resource  # noqa: PLC0415  # not on Windows

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def python(module: str, *words: object) -> list[str]:
    """Return the command that runs a module of this checkout."""
    return [sys.executable, "-m", module, *map(str, words)]


def peak_megabytes(command: Sequence[str]) -> float:
    """Run a command that prints its own peak memory as JSON, and return it in MB."""
    return float(json.loads(run(command).splitlines()[-1])["peak"]) / MB
