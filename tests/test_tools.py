"""The developers' commands: their arithmetic, their tables, and what they refuse."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tools import check, demo, environment
from tools.bench import __main__ as bench
from tools.bench import emission, growth, inputs, measure, readers, reading
from tools.bench.corpus import write_captures
from tools.bench.measure import Figure

ROOT = Path(__file__).parents[1]

# --- the shared set-up ---


@pytest.mark.parametrize("name", ["environment.py", "check.py", "demo.py"])
def test_an_old_python_can_read_what_refuses_it(name: str) -> None:
    """Python 3.8 gets as far as the sentence that says which Python is needed."""
    ast.parse((ROOT / "tools" / name).read_text("utf-8"), feature_version=(3, 8))


def test_the_set_up_is_done_again_when_the_dependencies_change(tmp_path: Path) -> None:
    """The fingerprint of an environment depends on the settings files and on the place of the checkout."""
    first, second = tmp_path / "first", tmp_path / "second"
    for place in (first, second):
        place.mkdir()
        (place / "setup.cfg").write_text("[options]\n", "utf-8")
        (place / "pyproject.toml").write_text("", "utf-8")
    before = environment.fingerprint(first)
    assert environment.fingerprint(first) == before
    assert environment.fingerprint(second) != before
    (first / "setup.cfg").write_text("[options]\ninstall_requires = click\n", "utf-8")
    assert environment.fingerprint(first) != before


def test_a_failing_pip_gives_a_sentence(tmp_path: Path) -> None:
    """What cannot be installed ends the set-up with the command's exit code and what to do."""
    with pytest.raises(SystemExit, match=r"pip could not install.*exit code 7.*PIP_INDEX_URL"):
        environment.run([sys.executable, "-c", "exit(7)"], "pip could not install it", environment.HOW_TO_PIP)


# --- check.py ---

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
  <testcase classname="a" name="one"/>
  <testcase classname="a" name="two"><failure message="no">...</failure></testcase>
  <testcase classname="a" name="three"><error message="no">...</error></testcase>
  <testcase classname="a" name="four"><skipped message="no PowerShell on PATH"/></testcase>
  <testcase classname="a" name="five"><skipped message="no PowerShell on PATH"/></testcase>
  <testcase classname="a" name="six"><skipped message="no index"/></testcase>
</testsuite></testsuites>
"""


def test_the_check_counts_what_pytest_reports(tmp_path: Path) -> None:
    """Failures and errors are both failed tests, and each reason for a skip is counted."""
    report = tmp_path / "junit.xml"
    report.write_text(JUNIT, "utf-8")
    tests = check.read_report(report)
    assert tests.line == "1 passed, 2 failed, 3 skipped"
    assert check.skips(tests) == ["skipped   2: no PowerShell on PATH", "skipped   1: no index"]


@pytest.mark.parametrize(
    ("words", "is_measured", "has_minimum"),
    [([], False, False), (["--coverage"], True, True), (["--coverage", "--", "-k", "settings"], True, False)],
)
def test_coverage_is_measured_where_it_is_asked_for(
    words: list[str], is_measured: bool, has_minimum: bool
) -> None:
    """The whole run has a minimum, a part of it has none."""
    asked = check.read_arguments(words)
    pytest_words = check.commands(Path("report"), asked.pytest, coverage=asked.coverage)[-1][1]
    assert ("--cov" in pytest_words) == is_measured
    assert (is_measured and "--cov-fail-under=0" not in pytest_words) == has_minimum
    assert asked.pytest == words[2:]


def test_no_report_is_no_success(tmp_path: Path) -> None:
    """A pytest that did not get as far as its report has passed nothing."""
    assert check.read_report(tmp_path / "none.xml") == check.Tests(0, 0, 0, Counter())


def test_a_real_report_of_pytest_is_understood(tmp_path: Path) -> None:
    """The JUnit file of the pytest that is installed has the shape that the check reads."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\ndef test_a(): pass\n\ndef test_b(): pytest.skip('for a reason')\n"
        "\ndef test_c(): assert False\n",
        "utf-8",
    )
    report = tmp_path / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    subprocess.run([*command, "--rootdir", str(tmp_path), str(tmp_path)], capture_output=True, check=False)
    tests = check.read_report(report)
    assert (tests.passed, tests.failed, tests.reasons) == (1, 1, Counter({"for a reason": 1}))


def test_the_check_fails_with_its_tools() -> None:
    """One line a tool, and a tool that failed is in capitals."""
    lines = check.table([check.Outcome("ruff check", 0, 1.2), check.Outcome("mypy", 1, 61.0)])
    assert [line.split() for line in lines] == [
        ["ruff", "check", "passed", "1", "s"],
        ["mypy", "FAILED", "(exit", "code", "1)", "61", "s"],
        ["together", "62", "s"],
    ]


# --- demo.py ---

ENTRY = """<?xml version="1.0" encoding="utf-8"?>
<table xmlns="urn:beacon-bridge:bridge-1" step="User.xml/User" procedure="Computer" table="#User">
<column key="a" name="Id" type="nvarchar" length="9" property="Id"/>
<column key="b" name="Name" type="nvarchar" length="9" property="Name"/>
<rows>
<r a="1" b="Ada _x0001_ &amp;"/>
<r a="2"/>
</rows>
</table>
"""
ROWS: list[demo.Row] = [{"Id": "1", "Name": "Ada \x01 &"}, {"Id": "2", "Name": None}]


def entry(folder: Path, text: str = ENTRY) -> Path:
    """Write a ZIP with one data entry."""
    import zipfile

    path = folder / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/001.xml", text)
    return path


def test_the_demo_reads_a_package_by_itself(tmp_path: Path) -> None:
    """Escapes, markup and nulls of an entry are the rows that the tenant holds."""
    assert demo.compare(entry(tmp_path), {"User.xml/User": iter(ROWS)})


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:1],
        [*ROWS, {"Id": "3", "Name": None}],
        ROWS[::-1],
        [ROWS[0], {"Id": "2", "Name": ""}],
        [{"Id": "1", "Name": "Ada"}, ROWS[1]],
    ],
    ids=["a row too many", "a row lost", "another order", "null for empty", "another text"],
)
def test_the_demo_notices_a_difference(tmp_path: Path, rows: list[demo.Row]) -> None:
    """Rows too many, lost, in another order or with another cell are not equal."""
    assert not demo.compare(entry(tmp_path), {"User.xml/User": iter(rows)})


def test_the_demo_notices_a_step_too_many_or_too_few(tmp_path: Path) -> None:
    """Every step of the tenant is in the package, and no other."""
    assert not demo.compare(entry(tmp_path), {"User.xml/User": iter(ROWS), "More.xml/More": iter(ROWS)})
    assert not demo.compare(entry(tmp_path), {})


def test_the_demo_says_which_engine_and_why() -> None:
    """A named engine is taken; without a name the reason is what is on PATH."""
    assert demo.choose_engine("native") == ("native", "--engine says so")
    engine, why = demo.choose_engine(None)
    assert (engine == "powershell") == ("has a PowerShell" in why)


# --- bench ---


def test_a_figure_is_held_against_its_target_and_goal() -> None:
    """The median decides; a figure without a target only informs, one without values was skipped."""

    def verdict(*values: float) -> str:
        return Figure("P1", "it", values, target=1.7, goal=1.25).verdict

    assert verdict(1.0, 1.2, 9.0) == "goal met"
    assert verdict(1.0, 1.5, 9.0) == "target met"
    assert verdict(1.0, 1.8, 9.0) == "TARGET MISSED"
    assert Figure("P1v", "it", (9.0,)).verdict == "for information"
    assert Figure("P3", "it", (), target=1.0, skipped="no pwsh").verdict == "skipped: no pwsh"


def test_a_single_quick_round_is_held_against_nothing() -> None:
    """With --quick, one value informs; several values, or a full round, are judged."""
    single, several = (Figure("P3", "it", values, target=1.0) for values in ((0.5,), (0.5, 2.0, 2.0)))
    quick = [figure.verdict for figure in bench.judged([single, several], quick=True)]
    full = [figure.verdict for figure in bench.judged([single, several], quick=False)]
    assert quick == ["for information", "TARGET MISSED"]
    assert full == ["target met", "TARGET MISSED"]


def test_rounds_are_interleaved_and_compared_round_by_round() -> None:
    """Jobs run in turn, and a ratio is taken within each round."""
    order: list[str] = []

    def job(name: str, seconds: float) -> float:
        order.append(name)
        return seconds * len(order)

    found = measure.rounds(2, {"a": lambda: job("a", 1.0), "b": lambda: job("b", 2.0)})
    assert order == ["a", "b", "a", "b"]
    assert measure.ratios(found, "b", "a") == (4.0, 8.0 / 3.0)


def test_the_table_of_the_benchmarks_can_be_read() -> None:
    """Each figure has its median, its spread, its target and its verdict on one line."""
    lines = measure.table([Figure("P2", "memory", (4.0, 6.0, 5.0), unit="MB", target=40.0)])
    assert lines[1].split() == [
        "P2",
        "memory",
        "5.0",
        "MB",
        "4.0",
        "MB",
        "to",
        "6.0",
        "MB",
        "40.0",
        "MB",
        "-",
        "target",
        "met",
    ]


def test_the_host_share_takes_starting_and_emitting_off() -> None:
    """Only the writing of rows beyond the warm-up is compared."""
    few = {"host few": 3.0, "emit few": 2.0, "clixml few": 2.5}
    everything = {"host all": 3.0 + 4.0, "emit all": 2.0 + 3.0, "clixml all": 2.5 + 8.0}
    assert emission.share(few | everything) == pytest.approx(0.2)


def test_a_failing_child_is_no_measurement() -> None:
    """A job that fails ends the benchmark with what it said."""
    with pytest.raises(SystemExit, match="broken on purpose"):
        measure.cpu([sys.executable, "-c", "raise ValueError('broken on purpose')"])


@pytest.mark.skipif(sys.platform == "win32", reason="the benchmarks use getrusage, which Windows lacks")
def test_the_benchmarks_run_on_tiny_inputs(tmp_path: Path) -> None:
    """Real child processes convert, verify and report their peak memory."""
    size = replace(bench.QUICK, convert=20, memory=20, reading_memory=20, rounds=1)
    figures = [
        *bench.convert(tmp_path / "1", size),
        *bench.memory(tmp_path / "2", size),
        *bench.start(tmp_path, size),
        *reading.memory(tmp_path / "3", size.reading_memory, 1),
    ]
    assert [figure.name for figure in figures] == ["P1", "P1v", "P2", "P5", "P4m"]
    assert all(value > 0 for figure in figures if figure.unit == "x" for value in figure.values)


def test_the_captures_of_a_benchmark_belong_to_its_steps(tmp_path: Path) -> None:
    """The steps that a child pairs with the captures are those that wrote them."""
    written = write_captures(tmp_path, 3, nulls=0.5)
    assert [(source.step, source.path) for source in inputs.sources(tmp_path)] == written


# --- README ---


def test_the_readme_leads_somewhere() -> None:
    """Every link of the README is a file of the checkout, and every command in it exists."""
    text = (ROOT / "README.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []
    assert {"python tools/demo.py", "python tools/check.py"} <= set(text.splitlines())


def test_growth_is_drawn(tmp_path: Path) -> None:
    """Pictures of time and memory name the sizes and figures; without PowerShell there is no line of it."""
    points = [growth.Point(1000, 5000, 1.5, 2.5, 3.0, 60.25, 0.0), growth.Point(2000, 9000, 3, 5, 6, 61, 0)]
    growth.draw(points, tmp_path / "new", "native")
    time, memory = (
        (tmp_path / "new" / f"performance-{what}-native.svg").read_text("utf-8")
        for what in ("time", "memory")
    )
    assert "1,000 users" in time
    assert "60.2" in memory
    assert "PowerShell" not in memory
    assert points[0].cells == ("1,000", "5,000", "1.5", "2.5", "3.0", "60.2", "-")


def test_the_longest_way_is_that_of_the_list_with_most_pages() -> None:
    """What wall time is held against: both counts twice, and the pages of the longest list."""
    sizes = [int(one.rpartition("=")[2]) for one in readers.calls() if "$top=" in one]
    assert readers.pages(3000) == 4 + max(-(-3000 // size) for size in sizes)
    assert readers.pages(1) == 5
