"""Measure what beacon-bridge costs, as ratios that hold on any machine.

    python -m tools.bench               everything, median of five rounds; some minutes
    python -m tools.bench --quick       smaller inputs, three rounds or one; within a minute
    python -m tools.bench --json FILE   where the figures go as JSON (bench.json)

CPU seconds of whole child processes (user and system), the jobs of a comparison in turn. P1 is held against a
floor measured in the same round: expat without callbacks, SHA-256 and zlib level 6 over the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tools import environment
from tools.bench import again, emission, inputs, measure, reading
from tools.bench.measure import Figure


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: users of P1, P2, P4, P4m, P4s and P6, rows of P3; and the rounds."""

    convert: int
    memory: int
    rows: int
    reading: int
    reading_memory: int
    sdk: int
    again: int
    rounds: int
    memory_rounds: int
    long_rounds: int


FULL = Size(
    convert=100_000,
    memory=1_000_000,
    rows=100_000,
    reading=100_000,
    reading_memory=1_000_000,
    sdk=5000,
    again=20_000,
    rounds=5,
    memory_rounds=5,
    long_rounds=5,
)
QUICK = Size(
    convert=20_000,
    memory=50_000,
    rows=30_000,
    reading=5000,
    reading_memory=20_000,
    sdk=1000,
    again=1000,
    rounds=3,
    memory_rounds=1,
    long_rounds=1,
)


def main() -> int:
    """Measure, print the table, write the JSON file; 1 if a target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="smaller inputs, within a minute")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE", help="(bench.json)")
    parser.add_argument("--only", metavar="P1,P3", help="measure only these")
    given = parser.parse_args()
    wanted = set(given.only.split(",")) if given.only else set(PARTS)
    size = QUICK if given.quick else FULL
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="beacon-bridge-bench-") as folder:
        for name in (one for one in PARTS if one in wanted):
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            figures += judged(PARTS[name](Path(folder) / name, size), quick=given.quick)
    print("\n".join(measure.table(figures)))
    given.json.write_text(json.dumps(as_json(figures, quick=given.quick), indent=2) + "\n", "utf-8")
    return int(any(figure.verdict == "TARGET MISSED" for figure in figures))


def judged(figures: list[Figure], *, quick: bool) -> list[Figure]:
    """Return the figures; one round of a small input is too little to hold against a target."""
    return [replace(one, target=None) if quick and len(one.values) == 1 else one for one in figures]


def as_json(figures: list[Figure], *, quick: bool) -> dict[str, object]:
    """Return everything for scripts, with the machine it was measured on."""
    return {
        "quick": quick,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "figures": [figure.as_json() for figure in figures],
    }


def convert(folder: Path, size: Size) -> list[Figure]:
    """P1: converting against its floor, and the whole stage with its verification for information."""
    captures = inputs.make(folder, size.convert)
    child = "tools.bench.child"
    found = measure.rounds(
        size.rounds,
        {
            "floor": lambda: measure.cpu(measure.python(child, "floor", captures, folder / "output")),
            "convert": lambda: measure.cpu(measure.python(child, "convert", captures, folder / "p.zip")),
            "stage": lambda: measure.cpu(measure.python(child, "stage", captures, folder / "p.zip")),
        },
    )
    ratio = measure.ratios(found, "convert", "floor")
    whole = measure.ratios(found, "stage", "floor")
    return [
        Figure("P1", f"convert of {size.convert:,} users / floor", ratio, target=1.7, goal=1.25),
        Figure("P1v", "the same with the stage's verification", whole),
    ]


def memory(folder: Path, size: Size) -> list[Figure]:
    """P2: peak memory of convert and verify, less that of an interpreter with the same imports."""
    captures = inputs.make(folder, size.memory)
    child = "tools.bench.child"
    found = measure.rounds(
        size.memory_rounds,
        {
            "bare": lambda: measure.peak_megabytes(measure.python(child, "imports")),
            "stage": lambda: measure.peak_megabytes(
                measure.python(child, "stage", captures, folder / "p.zip")
            ),
        },
    )
    above = tuple(one["stage"] - one["bare"] for one in found)
    return [Figure("P2", f"memory above the bare one, {size.memory:,} users", above, unit="MB", target=40.0)]


def host(folder: Path, size: Size) -> list[Figure]:
    """P3: see emission.py."""
    return emission.figures(folder, size.rows, size.long_rounds)


def read(folder: Path, size: Size) -> list[Figure]:
    """P4: see reading.py."""
    return [
        *reading.figures(folder / "cpu", size.reading, size.sdk, size.long_rounds),
        *reading.memory(folder / "memory", size.reading_memory, 1),
    ]


def start(folder: Path, size: Size) -> list[Figure]:
    """P5: how long --help takes, beside an interpreter that does nothing."""
    del folder
    script = environment.tool("beacon-bridge")

    def times(*command: str) -> float:
        return sum(measure.cpu(command) for _ in range(5))

    found = measure.rounds(
        size.rounds,
        {
            "pass": lambda: times(sys.executable, "-c", "pass"),
            "help": lambda: times(script, "--help"),
        },
    )
    return [
        Figure("P5", "beacon-bridge --help / python -c pass", measure.ratios(found, "help", "pass"), target=5)
    ]


def repeat(folder: Path, size: Size) -> list[Figure]:
    """P6: see again.py."""
    return again.figures(folder, size.again, size.long_rounds)


PARTS: dict[str, Callable[[Path, Size], list[Figure]]] = {
    "P1": convert,
    "P2": memory,
    "P3": host,
    "P4": read,
    "P5": start,
    "P6": repeat,
}

if __name__ == "__main__":
    sys.exit(main())
