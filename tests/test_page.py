"""The HTML page: whole in itself, safe against names of strangers, readable in every way."""

from __future__ import annotations

import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from bridge.show.page import Chart, Grid, Note, page

EVIL = "<script>alert('1')</script> \"&\x01\u202e\ud800"
SHOWN = "<script>alert('1')</script> \"&\\u0001\\u202e\\ud800"
BARS = Chart("Bought", "bars", ["E3", "E5"], {"Bought": [1200, 0], "Assigned": [7, 3]}, note="In units.")
STACKED = Chart(EVIL, "stacked", [EVIL, "E3"], {EVIL: [3, 4], "Never": [2, 1]})
GRID = Grid("Licences", ["Name", "Part", "Bought", "Left"], [[EVIL, "P", 1200, None], ["B", None, 7, 3]])


@pytest.fixture(scope="module")
def text() -> str:
    """Return a page with every kind of part."""
    return page(f"Position {EVIL}", [(EVIL, EVIL)], [Note(EVIL), BARS, STACKED, GRID])


@pytest.fixture(scope="module")
def tree(text: str) -> Any:
    """Return that page as a browser would read it."""
    return html.document_fromstring(text.encode())


def test_a_name_of_a_stranger_stays_a_name(tree: Any) -> None:
    """Markup in a name is text; control, direction and unpaired characters are made visible, everywhere."""
    assert not tree.xpath("//script")
    assert not tree.xpath("//@*[starts-with(name(), 'on')]")
    assert tree.xpath("string(//h1)") == f"Position {SHOWN}"
    assert tree.xpath("string(//dd)") == SHOWN
    assert SHOWN in [one.text_content() for one in tree.xpath("//tbody/tr/th")]
    assert tree.xpath("string(//*[local-name()='svg'][@class='chart'][contains(., 'script')]/title)") == SHOWN


def test_nothing_is_loaded(text: str, tree: Any) -> None:
    """The page names nothing outside itself, and its policy allows its own style sheet only."""
    assert not tree.xpath("//@src | //@href | //link | //@style | //*[local-name()='style'][ancestor::svg]")
    assert not re.findall(r"url\(|@import", text)
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    style = tree.xpath("string(//style)")
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_a_chart_can_be_read_aloud(tree: Any) -> None:
    """Each chart is one picture with a title and a description of its own, and its numbers are in a table."""
    charts = tree.xpath("//figure")
    assert len(charts) == 2
    assert len(set(tree.xpath("//@id"))) == len(tree.xpath("//@id")) == 4
    for chart in charts:
        (drawn,) = chart.xpath("./svg")
        names = drawn.get("aria-labelledby").split()
        assert [drawn.xpath(f"string(*[@id='{name}'])") != "" for name in names] == [True, True]
    rows = [[cell.text_content() for cell in row] for row in charts[0].xpath(".//tbody/tr")]
    assert rows == [["E3", "1,200", "7"], ["E5", "0", "3"]]


def test_bars_are_as_long_as_their_numbers(tree: Any) -> None:
    """The drawn lengths stand to each other as the numbers do, in the order of the labels."""
    stacked = tree.xpath("//figure[2]//g[contains(@class, 'color-0')]/g[@class='bars']//rect")
    e3, evil = (float(one.get("width")) for one in stacked)  # the last label is drawn first, from below
    assert e3 / evil == pytest.approx(4 / 3)
    assert float(stacked[0].get("y")) > float(stacked[1].get("y"))


def test_numbers_stand_to_the_right_and_the_unknown_is_a_dash(tree: Any) -> None:
    """A column of numbers is right-aligned, with separators; what is not known is no zero."""
    (table,) = tree.xpath("//section//table")
    assert [cell.get("class") for cell in table.xpath(".//th[@scope='col']")] == [
        None,
        None,
        "number",
        "number",
    ]
    rows = [[cell.text_content() for cell in row] for row in table.xpath(".//tbody/tr")]
    assert rows == [[SHOWN, "P", "1,200", "-"], ["B", "-", "7", "3"]]


def test_dark_is_for_screens_only(tree: Any) -> None:
    """Paper is white: the dark colours belong to a screen whose reader asked for them."""
    assert re.findall(r"@media [^{]*dark\)", tree.xpath("string(//style)")) == [
        "@media screen and (prefers-color-scheme: dark)"
    ]


def test_wide_letters_have_room() -> None:
    """A label of letters twice as wide is cut and given the place that it needs."""
    drawn = page("Wide", [], [Chart("Wide", "bars", ["\u65e5" * 30], {"Bought": [1]})])
    assert ">" + "\u65e5" * 18 + " ...<" in drawn
    (left,) = re.findall(r'translate\((\d+), \d+\)" class="plot"', drawn)
    assert int(left) > 18 * 11


def test_a_chart_of_nothing_is_left_out() -> None:
    """Without labels there is nothing to draw."""
    assert "Nothing" not in page("Page", [], [Chart("Nothing", "bars", [], {"Bought": []})])


def test_a_browser_takes_the_page(text: str, tmp_path: Path) -> None:
    """Chromium applies the style sheet and complains of nothing."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is on PATH")
    (tmp_path / "page.html").write_text(text, "utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += ["--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
    command += [f"--screenshot={tmp_path / 'page.png'}", (tmp_path / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (tmp_path / "page.png").stat().st_size > 1000
    assert "CONSOLE" not in done.stderr
