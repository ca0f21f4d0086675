"""Rows of captures and data entries as tables: strict, exact, and in flat memory."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import tables
from bridge.capture import unescape
from bridge.errors import PackageError, ReaderOutputError
from bridge.tables import Cells, Tables
from tests.engines import ROWS, Rows
from tests.packages import package, sources

BOTH = ("HolderID", "Mail")


def a_capture(home: Path, rows: Rows = ROWS) -> Path:
    """Write a capture of two columns and return it."""
    return sources(home, rows, steps=1)[0].path


def cells(path: Path, names: tuple[str, ...] = BOTH) -> list[Cells]:
    """Return what a capture's rows are, exactly."""
    with tables.capture(path) as rows:
        return [tuple(text and unescape(text) for text in row) for row in rows.cells(names)]


# --- captures ---


def test_rows_are_what_was_written(tmp_path: Path) -> None:
    """Every row comes in order, null apart from empty, with its signs."""
    rows = [("1", "a"), ("2", None), ("3", ""), (None, '<"&">\t\r\n'), (None, None), ("4", "_x0041_ \x00")]
    assert cells(a_capture(tmp_path, rows)) == rows


@given(st.lists(st.tuples(*[st.none() | st.text()] * 2), max_size=8))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Cells]) -> None:
    """Whatever a cell holds, it is read as it was."""
    assert cells(a_capture(tmp_path_factory.mktemp("c"), rows)) == rows


def test_one_column_of_two(tmp_path: Path) -> None:
    """Only the columns that are asked for are given."""
    assert cells(a_capture(tmp_path), ("Mail",)) == [(mail,) for _, mail in ROWS]


def test_more_rows_than_a_chunk(tmp_path: Path) -> None:
    """Rows come whole where the file is read in pieces."""
    rows = [(str(n), "x" * (n % 700)) for n in range(3000)]
    assert cells(a_capture(tmp_path, rows)) == rows


def test_chosen_rows(tmp_path: Path) -> None:
    """Rows are picked by their numbers, from 0 on, over the borders of chunks."""
    rows = [(str(n), "&" * (n % 300)) for n in range(5000)]
    numbers = [0, 1, 1730, 4999]
    with tables.capture(a_capture(tmp_path, rows)) as found:
        assert list(found.chosen(BOTH, iter(numbers))) == [rows[n] for n in numbers]


@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b'rows="3"', b'rows="4"', "its trailer counts 4 rows, it has 3"),
        (b'<r a="3"/>\n', b"", "its trailer counts 3 rows, it has 2"),
        (b"</capture>\n", b"</capture>\n<!-- x -->", "bytes follow its end"),
        (b"</rows>\n", b"", "its rows do not end|is no row"),
        (b'<column key="b"', b'<column key="c"', "its header is not in the form"),
        (b"<header", b"<heading", "its header is not whole|no well-formed"),
    ],
)
def test_a_spoilt_frame_is_refused(tmp_path: Path, old: bytes, new: bytes, why: str, chosen: bool) -> None:
    """A capture that is cut, or whose count is another, is not taken for whole."""
    path = a_capture(tmp_path)
    spoil(path, old, new)
    with pytest.raises(ReaderOutputError, match=why), tables.capture(path) as rows:
        list(rows.chosen(BOTH, iter([0])) if chosen else rows.cells(BOTH))


@pytest.mark.parametrize(
    "line",
    [
        b"<r a='1'/>",
        b'<r b="x" a="1"/>',
        b'<r a="1" c="x"/>',
        b'<r a="1" a="2"/>',
        b'<r  a="1"/>',
        b'<r a="1"></r>',
        b'<r a="1"/> ',
        b'<r a="1"/><r a="2"/>',
        b'<r a="&lt"/>',
        b'<r a="&amp;&nbsp;"/>',
        b'<r a="&#65;"/>',
        b'<r a="a>b"/>',
        b'<r a="a<b"/>',
        b'<r a="a\tb"/>',
        b'<r a="a\x00b"/>',
        b'<r a="1"\n/>',
        b'<r a="\xff"/>',
        b"",
    ],
)
def test_a_line_that_is_no_row_is_refused(tmp_path: Path, line: bytes) -> None:
    """Only the one form of a row is read; nothing is passed over."""
    path = a_capture(tmp_path)
    spoil(path, b'<r a="3"/>', line)
    with pytest.raises(ReaderOutputError, match=r"no row|UTF-8"):
        cells(path)


def spoil(path: Path, old: bytes, new: bytes) -> None:
    """Replace what a file holds once."""
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    """At whatever byte a capture ends too soon, it is refused."""
    whole = a_capture(tmp_path).read_bytes()
    path = tmp_path / "cut.xml"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ReaderOutputError):
            cells(path)


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    """It is refused with its name."""
    with pytest.raises(ReaderOutputError, match="no column Name"):
        cells(a_capture(tmp_path), ("Name",))


@pytest.mark.parametrize("names", [("Mail", "HolderID"), ("Mail", "Mail")])
def test_columns_out_of_their_order(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Whoever asks in another order, or twice, would get the wrong cells."""
    with pytest.raises(ValueError, match="in the order"):
        cells(a_capture(tmp_path), names)


def test_a_capture_that_cannot_be_read(tmp_path: Path) -> None:
    """The file is named."""
    with (
        pytest.raises(ReaderOutputError, match=r"gone\.xml cannot be read"),
        tables.capture(tmp_path / "gone.xml"),
    ):
        pass


def test_failures_of_the_user_keep_their_name(tmp_path: Path) -> None:
    """What goes wrong while rows are used is not the capture's fault."""
    with pytest.raises(BrokenPipeError), tables.capture(a_capture(tmp_path)):
        raise BrokenPipeError
    with pytest.raises(BrokenPipeError), tables.entry(package(tmp_path / "p"), "data/001.xml"):
        raise BrokenPipeError


# --- data entries ---


def test_a_data_entry_has_the_same_rows(tmp_path: Path) -> None:
    """A package's entry is read like the capture it was made of."""
    with tables.entry(package(tmp_path), "data/002.xml") as rows:
        assert [column.name for column in rows.columns] == list(BOTH)
        assert list(rows.cells(BOTH)) == [tuple(row) for row in ROWS]


def test_an_entry_that_is_not_there(tmp_path: Path) -> None:
    """The package and the entry are named."""
    path = package(tmp_path)
    with (
        pytest.raises(PackageError, match=r"x\.zip cannot be read: .*data/009"),
        tables.entry(path, "data/009.xml"),
    ):
        pass


def test_an_entry_that_is_no_data(tmp_path: Path) -> None:
    """The manifest has no rows."""
    path = package(tmp_path)
    with pytest.raises(ReaderOutputError, match=r"x\.zip/manifest\.xml"), tables.entry(path, "manifest.xml"):
        pass


def test_a_spoilt_package(tmp_path: Path) -> None:
    """Whichever byte of an entry is another, its rows are refused or are what they were."""
    whole = package(
        tmp_path, rows=[(str(n), f"user{n}@example.org") for n in range(20)], steps=1
    ).read_bytes()
    start = whole.index(b"data/001.xml") + len("data/001.xml")
    refused = 0
    for place in range(start, start + 200):
        path = tmp_path / "spoilt.zip"
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            with tables.entry(path, "data/001.xml") as rows:
                assert len(list(rows.cells(BOTH))) == 20
        except (PackageError, ReaderOutputError):
            refused += 1
    assert refused > 150


# --- tables ---


def test_questions_are_answered(tmp_path: Path) -> None:
    """Rows are loaded, counted and asked about; null is no text."""
    with Tables(tmp_path) as base, tables.capture(a_capture(tmp_path)) as rows:
        assert base.load("holders", rows, BOTH) == 3
        assert base.number("SELECT COUNT(*) FROM holders WHERE Mail IS NULL") == 1
        assert list(base.ask("SELECT HolderID FROM holders WHERE Mail = ?", ROWS[0][1])) == [("1",)]
        assert base.number("SELECT MAX(Mail) FROM holders WHERE HolderID = '9'") == 0


def test_no_rows_are_a_table_too(tmp_path: Path) -> None:
    """A step without rows has a table that is empty."""
    with Tables(tmp_path) as base, tables.capture(a_capture(tmp_path, [])) as rows:
        assert (base.load("t", rows, BOTH), base.number("SELECT COUNT(*) FROM t")) == (0, 0)


def test_any_name_is_a_name(tmp_path: Path) -> None:
    """Names that are words of SQL, or hold its signs, are names all the same."""
    with Tables(tmp_path) as base, tables.capture(a_capture(tmp_path)) as rows:
        assert base.load('select "x"; --', rows, BOTH) == 3
        assert base.number('SELECT COUNT(*) FROM "select ""x""; --"') == 3


def test_a_cut_capture_leaves_the_tables_usable(tmp_path: Path) -> None:
    """The next capture can be loaded after one that was refused."""
    path = a_capture(tmp_path)
    with Tables(tmp_path) as base:
        spoil(path, b'rows="3"', b'rows="9"')
        with pytest.raises(ReaderOutputError), tables.capture(path) as rows:
            base.load("first", rows, BOTH)
        spoil(path, b'rows="9"', b'rows="3"')
        with tables.capture(path) as rows:
            assert base.load("second", rows, BOTH) == 3


BIG_SORT = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
    "SELECT hex(randomblob(40)) FROM n ORDER BY 1"
)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """The files go with the block, also by a failure; a big sort spills below the folder, and still works."""
    (tmp_path / "state").mkdir()
    with pytest.raises(KeyError), Tables(tmp_path / "state") as base:
        base.do("CREATE TABLE t (a TEXT)")
        base.fill("t", 1, (("x" * 1000 + str(n),) for n in range(40_000)))
        assert base.number("SELECT COUNT(*) FROM (SELECT a FROM t ORDER BY a DESC)") == 40_000
        raise KeyError
    assert list((tmp_path / "state").iterdir()) == []
    with sqlite3.connect(tmp_path / "other.sqlite") as other:  # another base of this process sorts, too
        other.execute("PRAGMA temp_store = FILE")
        assert other.execute(BIG_SORT).fetchone()
    other.close()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """A folder of tables from the day before goes; a fresh one may be another process's."""
    old, fresh = tmp_path / "tables-old", tmp_path / "tables-fresh"
    for folder in (old, fresh):
        folder.mkdir()
        (folder / "tables.sqlite").write_bytes(b"x")
    two_days_ago = fresh.stat().st_mtime - 48 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    with Tables(tmp_path):
        assert (old.exists(), fresh.exists()) == (False, True)


def test_a_full_disk_has_a_name(tmp_path: Path) -> None:
    """It is a retryable PackageError that says what to do."""
    with Tables(tmp_path) as base:
        base.do("CREATE TABLE t (a TEXT)")
        base.do("PRAGMA max_page_count = 8")
        with pytest.raises(PackageError, match="full") as refused:
            base.fill("t", 1, (("x" * 1000,) for _ in range(1000)))
        assert (refused.value.retryable, "Make room" in refused.value.hint) == (True, True)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is a PackageError, too."""
    with pytest.raises(PackageError, match="cannot be put side by side"):
        Tables(tmp_path / "gone")


GROWTH = """
import sys
from pathlib import Path
import psutil
from bridge import tables
from bridge.tables import Tables

folder, count = Path(sys.argv[1]), int(sys.argv[2])
with Tables(folder) as base, tables.capture(folder / "big.xml") as rows:
    before = psutil.Process().memory_info().rss
    assert base.load("t", rows, ("HolderID", "Mail")) == count
    assert base.number("SELECT COUNT(*) FROM (SELECT Mail FROM t GROUP BY Mail, HolderID)") == count
    assert sum(1 for _ in base.ask("SELECT Mail FROM t ORDER BY Mail DESC")) == count
    print((psutil.Process().memory_info().rss - before) // 1024**2)
"""


def test_memory_is_flat(tmp_path: Path) -> None:
    """300,000 rows of 200 bytes, grouped and sorted, take some megabytes."""
    count = 300_000
    head, tail = a_capture(tmp_path, [("1", "x")]).read_bytes().split(b'<r a="1" b="x"/>\n')
    with (tmp_path / "big.xml").open("wb") as file:
        file.write(head)
        for number in range(count):
            file.write(b'<r a="%d" b="%0200d"/>\n' % (number, number * 7919 % count))
        file.write(tail.replace(b'rows="1"', b'rows="%d"' % count))
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path), str(count)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 40
