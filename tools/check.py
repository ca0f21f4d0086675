"""The whole test run: set-up, ruff, mypy, pytest, and a table of what ran and what was skipped.

python tools/check.py
python tools/check.py --coverage          takes half as long again, and fails below setup.cfg's minimum
python tools/check.py -- -k settings      what follows -- goes to pytest
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import environment  # the checkout is on the path only from here on

PROCESSES = "4"  # on two cores: many tests wait for a server or a child


@dataclass(frozen=True)
class Outcome:
    """One tool's run: its name, its exit code, how long it took in seconds."""

    name: str
    code: int
    seconds: float

    @property
    def result(self) -> str:
        """Return one word for people."""
        return "passed" if self.code == 0 else f"FAILED (exit code {self.code})"


@dataclass(frozen=True)
class Tests:
    """What pytest's JUnit file says: how many tests ended how, and why some were skipped."""

    passed: int
    failed: int
    skipped: int
    reasons: Counter[str]

    @property
    def line(self) -> str:
        """Return the closing line."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def main(arguments: list[str]) -> int:
    """Run everything, print the table, and return 0 only if everything passed."""
    asked = read_arguments(arguments)
    environment.enter()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # tests send it; a background job would ignore it
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        outcomes = [
            run(name, command) for name, command in commands(report, asked.pytest, coverage=asked.coverage)
        ]
        tests = read_report(report)
    print("\n".join(["", *table(outcomes), *skips(tests), "", tests.line]), flush=True)
    return int(any(outcome.code for outcome in outcomes))


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return what is asked for: ``coverage``, and the words for ``pytest``."""
    usage, _, examples = str(__doc__).partition("\n\n")
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=usage, epilog=examples, formatter_class=raw)
    parser.add_argument("--coverage", action="store_true", help="measure what of bridge/ the tests run")
    parser.add_argument("pytest", nargs="*", help="words for pytest, after --")
    return parser.parse_args(arguments)


def commands(report: Path, extra: list[str], *, coverage: bool) -> list[tuple[str, list[str]]]:
    """Return each tool with its command line; ``extra`` goes to pytest."""
    python = [sys.executable, "-m"]
    measure = ["--cov", "--cov-report=term:skip-covered"] if coverage else []
    if coverage and extra:
        measure.append("--cov-fail-under=0")
    pytest = [
        *python,
        "pytest",
        "-q",
        "-n",
        PROCESSES,
        "--dist=loadgroup",
        f"--junitxml={report}",
        *measure,
        *extra,
    ]
    return [
        ("ruff check", [*python, "ruff", "check", "."]),
        ("ruff format", [*python, "ruff", "format", "--check", "."]),
        ("mypy", [*python, "mypy"]),
        ("pytest", pytest),
    ]


def run(name: str, command: list[str]) -> Outcome:
    """Run one tool in the checkout, its output in sight."""
    print(f"\n=== {name}", flush=True)
    begun = time.monotonic()
    # Without bytecode each of the tests' many children would compile the project for itself.
    compiled = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    code = subprocess.run(command, cwd=environment.ROOT, env=compiled, check=False).returncode
    return Outcome(name, code, time.monotonic() - begun)


def read_report(report: Path) -> Tests:
    """Return what the JUnit file says; no file means that pytest did not get that far."""
    if not report.is_file():
        return Tests(0, 0, 0, Counter())
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314  # pytest has just written it
    failed = sum(any(child.tag in {"failure", "error"} for child in case) for case in cases)
    reasons = Counter(str(child.get("message")) for case in cases for child in case.findall("skipped")[:1])
    skipped = sum(reasons.values())
    return Tests(len(cases) - failed - skipped, failed, skipped, reasons)


def table(outcomes: list[Outcome]) -> list[str]:
    """Return the lines that say what ran."""
    rows = [(outcome.name, outcome.result, f"{outcome.seconds:.0f} s") for outcome in outcomes]
    total = f"{sum(outcome.seconds for outcome in outcomes):.0f} s"
    return [f"{name:<12} {result:<22} {took:>6}" for name, result, took in (*rows, ("together", "", total))]


def skips(tests: Tests) -> list[str]:
    """Return a line for each reason that tests were skipped for."""
    return [f"skipped {count:>3}: {reason}" for reason, count in sorted(tests.reasons.items())]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
