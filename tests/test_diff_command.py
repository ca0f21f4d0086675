"""`beacon-bridge diff`: tables, JSON as it comes, a page, and which two runs are meant."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from bridge import cli
from bridge.runs.record import Run
from bridge.runs.store import Runs
from bridge.show.flow import flow
from bridge.workplace import Workplace
from tests.runs_of import World, changed, collected, site, world
from tools.tenant import Tenant
from tools.tenant.truth import Row

EVIL = "<script>alert(1)</script>\u202e\x1b[31m\ud800"
USER, ASSIGNMENT = "User.xml/User", "Assignment.xml/Assignment"
Diff = Callable[..., str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A workplace with three runs: the second has 30 users more, and the third an odd name."""
    made = site(tmp_path_factory.mktemp("site"))
    before = world(Tenant(users=90))
    for rows in (before, world(Tenant(users=120)), odd(before)):
        collected(made, rows)
    return made


def odd(before: World) -> World:
    """Return a world in which a product and a user have odd names, and 25 users lost a product."""

    def rename(rows: list[Row]) -> list[Row]:
        return [{**rows[0], "ProductName": EVIL}, *rows[1:]]

    sku = before["Subscription.xml/Subscription"][0]["SkuId"]
    held = dict.fromkeys(row["UserId"] for row in before[ASSIGNMENT] if _takes(row, sku))
    lost = list(held)[:25]

    def kept(rows: list[Row]) -> list[Row]:
        return [row for row in rows if row["SkuId"] != sku or row["UserId"] not in lost]

    after = changed(before, "Subscription.xml/Subscription", rename)
    after = changed(after, ASSIGNMENT, kept)
    return changed(after, USER, lambda rows: [{**rows[0], "DisplayName": EVIL}, *rows[1:]])


def _takes(row: Row, sku: str | None) -> bool:
    return row["SkuId"] == sku and row["State"] == "Active"


@pytest.fixture
def runs(place: Workplace) -> tuple[Run, ...]:
    """The three runs."""
    return place.runs.all()


@pytest.fixture
def diff(place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Diff:
    """Return what `diff` prints."""
    config = tmp_path / "bridge.toml"
    config.write_text(f"[bridge]\nstate = '{place.runs.state}'\n", "utf-8")

    def command(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        assert cli.main(["diff", *words, "--config", str(config)]) == code
        said = capsys.readouterr()
        return said.out if code == 0 else said.err

    return command


def test_tables_for_people(diff: Diff, runs: tuple[Run, ...]) -> None:
    """Both runs, each step with its numbers, the products that changed, and who gained them."""
    told = diff(runs[0].run, runs[1].run)
    assert f"Before  {runs[0].run} of Contoso" in told
    assert "Nothing around the rows has changed." in told
    assert [USER, "90", "120", "30", "0", "0"] in [line.split() for line in told.splitlines()]
    assert f"{USER}, 20 of 30 rows (--json has all):" in told
    assert "gained by" in told


def test_long_lists_are_cut(diff: Diff, runs: tuple[Run, ...]) -> None:
    """Twenty users of a product are listed, and how many more there are; --json has all."""
    told = diff(runs[0].run, runs[2].run)
    (line,) = (line for line in told.splitlines() if " lost by 25: " in line)
    assert line.count("@contoso.example") == 20
    assert line.endswith(" and 5 more")
    (sku,) = (one for one in value(diff, runs[0], runs[2])["skus"] if one["lost"])
    assert len(sku["lost_users"]) == 25
    assert all(one["name"].endswith("@contoso.example") for one in sku["lost_users"])


def value(diff: Diff, before: Run, after: Run) -> dict[str, Any]:
    """Return what --json says."""
    told = diff(before.run, after.run, "--json")
    assert told.isascii()
    found = json.loads(told)
    assert isinstance(found, dict)
    return found


def test_json_has_every_row(diff: Diff, runs: tuple[Run, ...]) -> None:
    """One JSON value: runs, facts, steps with their rows, SKUs with their users."""
    told = value(diff, runs[0], runs[2])
    assert (told["before"]["run"], told["after"]["run"], told["facts"]) == (runs[0].run, runs[2].run, [])
    steps = {one["step"]: one for one in told["steps"]}
    assert len(steps[ASSIGNMENT]["rows"]) == steps[ASSIGNMENT]["removed"] >= 25
    assert steps[USER]["columns"] == {"DisplayName": 1}
    (row,) = steps[USER]["rows"]
    assert (row["kind"], row["key"].keys(), row["columns"]["DisplayName"][1]) == ("changed", {"UserId"}, EVIL)
    assert row["name"] == "user0@contoso.example"


def test_odd_names_are_shown_escaped(diff: Diff, runs: tuple[Run, ...], tmp_path: Path) -> None:
    """No name of the tenant reaches the terminal or the page as anything but text."""
    page = tmp_path / "diff.html"
    told = diff(runs[0].run, runs[2].run, "--html", str(page))
    assert "\\u001b[31m" in told
    assert not {"\x1b", "\u202e", "\ud800"} & set(told)
    written = page.read_text("utf-8")
    assert "<script" not in written
    assert not {"\x1b", "\u202e"} & set(written)


def test_a_page(diff: Diff, runs: tuple[Run, ...], tmp_path: Path) -> None:
    """It stands alone: charts and tables of rows, products and people, and nothing is loaded."""
    page = tmp_path / "diff.html"
    diff(runs[0].run, runs[1].run, "--html", str(page))
    root = html.fromstring(page.read_bytes())
    heads = [" ".join(str(head.xpath("string()")).split()) for head in root.iter("h2")]
    assert heads[:6] == [
        "Rows that differ",
        "Users who hold a licence",
        "Units",
        "Products that changed",
        "Who gained and who lost",
        "Steps",
    ]
    assert len(root.findall(".//svg[@class='chart']")) == 3
    assert not root.xpath("//script | //link | //img | //@src | //@href")


def test_a_page_that_cannot_be_written(diff: Diff, runs: tuple[Run, ...], tmp_path: Path) -> None:
    """It is a wrong setting, with the file's name."""
    told = diff(runs[0].run, runs[1].run, "--html", str(tmp_path / "no" / "x.html"), code=3)
    assert "x.html cannot be written" in told


def test_one_run_is_compared_with_the_one_before(diff: Diff, runs: tuple[Run, ...]) -> None:
    """`diff RUN` takes the whole run before it."""
    assert f"Before  {runs[1].run} of" in diff("last:Contoso")
    assert "before it" not in diff(runs[1].run)
    assert "There is no whole run of 'Contoso' before" in diff(runs[0].run, code=3)


def test_since_a_day(diff: Diff, runs: tuple[Run, ...]) -> None:
    """What there is, is said; a day that is none is a usage error."""
    day = runs[0].started.astimezone().date().isoformat()
    assert f"after {day} to compare {runs[2].run} with" in diff("Contoso", "--since", day, code=3)
    assert f"there are {runs[0].run} of {day}, " in diff("Contoso", "--since", "2020-02-29", code=3)
    assert "there is none at all" in diff("Nobody", "--since", day, code=3)
    assert "2020-02-30" in diff("Contoso", "--since", "2020-02-30", code=2)


@pytest.mark.parametrize("words", [("a", "b", "c"), ("a", "b", "--since", "2026-11-24"), ()])
def test_too_many_words(diff: Diff, words: tuple[str, ...]) -> None:
    """Two runs, or one connection and a day."""
    assert diff(*words, code=2)


def test_a_run_that_is_not_there(diff: Diff, runs: tuple[Run, ...]) -> None:
    """It is named, and under --json the error is JSON, too."""
    assert "There is no run 'x'" in diff(runs[0].run, "x", code=3)


def test_nobody_reads_on(place: Workplace, diff: Diff, runs: tuple[Run, ...]) -> None:
    """Nothing is left in the state folder, whatever became of the output."""
    diff(runs[0].run, runs[1].run, "--json")
    assert list(Runs(place.runs.state).state.glob("tables-*")) == []


# --- JSON piece by piece ---


def numbers(count: int) -> Iterator[object]:
    """Yield numbers, each with a list of its own."""
    for number in range(count):
        yield {"number": number, "below": iter(range(number)), "text": 'ü"\n'}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_in_pieces(count: int) -> None:
    """The pieces are the JSON of what the iterators hold."""
    whole = "".join(flow({"rows": numbers(count), "no": [], "none": None}))
    expected = [{"number": n, "below": list(range(n)), "text": 'ü"\n'} for n in range(count)]
    assert json.loads(whole) == {"rows": expected, "no": [], "none": None}


def test_json_comes_as_it_is_made() -> None:
    """No more than one row is asked for before the one before it was given away."""
    asked: list[int] = []

    def rows() -> Iterator[object]:
        for number in range(100):
            asked.append(number)
            yield number

    for piece in flow({"rows": rows()}):
        if piece.isdigit():
            assert asked == list(range(int(piece) + 1))
    assert len(asked) == 100
