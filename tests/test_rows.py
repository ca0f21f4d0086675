"""Rows checked against their columns: the quick way and the slow one agree, and errors say where."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.capture import CaptureWriter, Header, keys, openings, row_line
from bridge.convert import columns as rules
from bridge.convert.columns import Misfit
from bridge.convert.frames import row_cells
from bridge.convert.rows import ENTRY_TAIL, Checker, Converted, check_entry, copy_rows, entry_head
from bridge.errors import ReaderOutputError
from bridge.model import SOURCE_TO_TARGET, Column, Gap, Step
from tools.bench.corpus import write_captures

Cells = Sequence[str | None]

ALL = (
    Column("Text", "nvarchar", "Text", 6),
    Column("Long", "nvarchar", "Long"),
    Column("Tiny", "tinyint", "Tiny"),
    Column("Int", "int", "Int"),
    Column("Big", "bigint", "Big"),
    Column("Bit", "bit", "Bit"),
    Column("Moment", "datetime", "Moment"),
    Column("Small", "smalldatetime", "Small"),
    Column("Day", "date", "Day"),
    Column("Time", "time", "Time"),
    Column("Guid", "uniqueidentifier", "Guid"),
    Column("Decimal", "decimal", "Decimal", None, 5, 2),
    Column("Money", "money", "Money"),
    Column("Float", "float", "Float"),
    Column("Binary", "varbinary", "Binary", 3),
)
WIDTH = len(ALL)
LINE = openings(WIDTH)


def step(columns: tuple[Column, ...] = ALL) -> Step:
    """Return a step with these columns."""
    return Step("User.xml", "LoadUsers", "User", 1, SOURCE_TO_TARGET, "ImportedUser", columns=columns)


def header(of: Step) -> Header:
    """Return the header of a step's capture."""
    return Header(
        "Test",
        "path",
        "0" * 64,
        of.file,
        of.procedure,
        of.name,
        of.table,
        of.columns,
        "native",
        "none",
        "3",
        "S",
    )


def capture(folder: Path, rows: Iterable[Cells], of: Step | None = None, gaps: tuple[Gap, ...] = ()) -> Path:
    """Write a whole capture."""
    path = folder / "001.xml"
    with CaptureWriter(path, header(of or step())) as writer:
        for cells in rows:
            writer.write(cells)
        writer.finish(gaps)
    return path


def clixml(folder: Path, *rows: str) -> Path:
    """Write what Export-Clixml would write of custom objects with these elements."""
    path = folder / "saved.xml"
    objects = "".join(f'<Obj RefId="{number}"><MS>{one}</MS></Obj>' for number, one in enumerate(rows))
    path.write_text(f"<Objs>{objects}</Objs>", encoding="utf-8")
    return path


def converted(path: Path, of: Step, *, cuts: bool = False) -> tuple[str, Converted]:
    """Return the row lines that a file gives, and what was found."""
    lines: list[bytes] = []
    found = copy_rows(path, of, lines.append, too_long="cut" if cuts else "refuse")
    return b"".join(lines).decode(), found


def refusal(path: Path, of: Step) -> ReaderOutputError:
    """Return what a file is refused with."""
    with pytest.raises(ReaderOutputError) as caught:
        converted(path, of)
    return caught.value


def row(**cells: str) -> list[str | None]:
    """Return a row of ALL in which only these cells are not null."""
    return [cells.get(column.name) for column in ALL]


# --- the quick way and the slow way ---

# Texts near every border, each drawn for any column, and changed a little.
_NEAR = [
    *(
        "0",
        "-0",
        "00",
        "7",
        "99",
        "100",
        "255",
        "256",
        "-1",
        "2147483647",
        "2147483648",
        "999999999",
        "1234567890",
    ),
    *(
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "999999999999999999",
        "1_0",
        " 7",
    ),
    *("true", "false", "True", "1"),
    *(
        "2026-11-24T08:15:30Z",
        "2026-11-24T08:15:30.120Z",
        "2026-11-24T08:15:30.12+02:00",
        "2024-02-29T00:00:00",
    ),
    *(
        "2026-02-29T00:00:00",
        "2026-02-30T00:00:00",
        "2026-04-31T10:00:00",
        "1899-12-31T00:00:00",
        "2026-11-24",
    ),
    *(
        "2079-06-07T00:00:00",
        "2026-11-24 08:15:30",
        "08:15:30",
        "08:15:30.50",
        "24:00:00",
        "08:15:30.1234567",
    ),
    *("0f8fad5b-d9cb-469f-a165-70867728950e", "0F8FAD5B-D9CB-469F-A165-70867728950E"),
    *(
        "123.45",
        "1234.5",
        "1.234",
        "-0.50",
        "922337203685477.5807",
        "922337203685477.5808",
        "99999999999999.9999",
    ),
    *("1E-05", "1E+308", "1E+309", "1.5e9", "0x", "0x00FF", "0x00FFAA", "0x00FFAABB", "0x0"),
    *(
        "",
        "abcdef",
        "abcdefg",
        "Zoë",
        "ÄÖÜäöü",
        "ÄÖÜäöüß",
        "a&b",
        "&&&&&&",
        "&&&&&&&",
        '<">',
        "a\tb\r\n",
        "]]>",
    ),
    *("\U0001f600", "\U0001f600\U0001f600\U0001f600", "ab\U0001f600\U0001f600", "abc\U0001f600\U0001f600"),
    *(
        "_x0041_",
        "_x004",
        "proxy_x",
        "\0",
        "\x1f",
        "\ufffe",
        "\uffff",
        "\ufffd",
        "\ud83d",
        "\ude00",
        "\x85",
        "\u2028",
    ),
]
_cell = st.none() | st.sampled_from(_NEAR) | st.text(st.characters(codec=None), max_size=8)
_sparse = st.dictionaries(st.integers(0, WIDTH - 1), _cell, max_size=4)
_rows = st.lists(
    _sparse.map(lambda few: [few.get(number) for number in range(WIDTH)]), min_size=1, max_size=6
)


def _slowly(line: str) -> tuple[str, list[str]]:
    """Return a row line in canonical form, and the names of the columns whose cells do not fit.

    This is what the two ways of Checker must both give: the XML parser and each column's rule, nothing else.
    """
    cells = row_cells(line.encode(), keys(WIDTH), ReaderOutputError)
    wrong = []
    for number, text in enumerate(cells):
        try:
            cells[number] = None if text is None else rules.rule(ALL[number]).canonical(text)
        except Misfit:
            wrong.append(ALL[number].name)
    return row_line(LINE, cells), wrong


def _check(lines: Iterable[str]) -> tuple[str, list[str]]:
    """Return what a Checker makes of a chunk of lines, and where it found something wrong."""
    checker = Checker("User.xml/LoadUsers", ALL, cuts=False)
    chunk = "".join(lines)
    found = checker.lines(chunk.encode()).decode()
    assert checker.rows == chunk.count("\n")
    return found, [one.partition(":")[0].rpartition("row ")[2] for one in checker.findings]


@settings(max_examples=200, deadline=None)
@given(_rows)
def test_the_quick_way_and_the_slow_way_agree(rows: list[Cells]) -> None:
    """A chunk gives what each of its lines gives through the XML parser alone: lines, findings, numbers."""
    lines = [row_line(LINE, cells) for cells in rows]
    slow = [_slowly(line) for line in lines]
    wrong = [f"{number}, {name}" for number, (_, names) in enumerate(slow, start=1) for name in names]
    if len(wrong) >= 20:
        return
    expected = "".join(line for line, _ in slow)
    assert _check(lines) == (expected, wrong)


@settings(max_examples=100, deadline=None)
@given(_rows)
def test_an_escape_anywhere_in_a_chunk_changes_nothing_for_its_other_rows(rows: list[Cells]) -> None:
    """A chunk that holds one escape is judged line by line, with the same result."""
    lines = [row_line(LINE, cells) for cells in rows]
    escaped = row_line(LINE, row(Long="\0"))
    if sum(len(_slowly(line)[1]) for line in lines) >= 20:
        return
    alone, findings = _check(lines)
    assert _check([*lines, escaped]) == (alone + escaped, findings)


_MARKS = [
    '"',
    "'",
    "&",
    "<",
    ">",
    " ",
    "\t",
    "\n",
    "/",
    "=",
    "\0",
    "\x85",
    "&amp;",
    "&#x41;",
    "_x0041_",
    "z",
    "é",
]


@settings(max_examples=200, deadline=None)
@given(_rows.map(lambda rows: row_line(LINE, rows[0])), st.data())
def test_a_damaged_line_is_refused_or_judged_as_the_parser_judges_it(line: str, data: st.DataObject) -> None:
    """With any mark put anywhere into a line, the quick way accepts nothing that the slow way does not."""
    place = data.draw(st.integers(0, len(line) - 1))
    until = data.draw(st.sampled_from([place, place + 1]))
    damaged = line[:place] + data.draw(st.sampled_from(_MARKS)) + line[until:]
    if not damaged.endswith("\n"):
        return
    try:
        expected = [_slowly(one + "\n") for one in damaged[:-1].split("\n")]
    except ReaderOutputError:
        with pytest.raises(ReaderOutputError):
            _check([damaged])
        return
    assert _check([damaged])[0] == "".join(one for one, _ in expected)


@pytest.mark.parametrize(
    "text",
    [
        "_x0041_",
        "\ufffe",
        "\uffff",
        "\x01",
        "\t",
        ">",
        "'\"",
        "&apos;",
        "&#65;",
        "&#xa;",
        "&gt",
        "&lt;<",
        "&foo;",
    ],
    ids=ascii,
)
def test_text_that_is_not_escaped_as_it_should_be_is_refused(text: str) -> None:
    """There is one way to write each text: what XML cannot hold, or another escape of it, is no row."""
    for column in ("Long", "Text"):
        line = row_line(LINE, row(**{column: "@"})).replace("@", text)
        with pytest.raises(ReaderOutputError):
            _check([line])


def test_most_rows_pass_as_they_are(tmp_path: Path) -> None:
    """Canonical lines come out byte for byte: umlauts, ampersands, emoji and nulls among them."""
    rows = [
        row(Text="Zoë&'", Int="7", Bit="true", Moment="2026-11-24T08:15:30Z"),
        row(Long="\U0001f600"),
        row(),
    ]
    path = capture(tmp_path, rows)
    written = path.read_text(encoding="utf-8")
    text, found = converted(path, step())
    assert text == written.partition("<rows>\n")[2].partition("</rows>\n")[0]
    assert found.rows == 3


@pytest.mark.parametrize("nulls", [0, 0.5])
def test_the_captures_of_the_benchmark_pass_as_they_are(tmp_path: Path, nulls: float) -> None:
    """tools/bench measures captures that fit their columns and need no other form."""
    written = write_captures(tmp_path, 60, nulls=nulls)
    assert [converted(path, of)[1].rows for of, path in written] == [293, 60, 138, 48]
    for of, path in written:
        text = path.read_text(encoding="utf-8")
        assert converted(path, of)[0] == text.partition("<rows>\n")[2].partition("</rows>\n")[0]


def test_cells_come_out_in_canonical_form(tmp_path: Path) -> None:
    """What a reader wrote in another form of the same value is packaged in the one form."""
    rows = [row(Bit="1", Moment="2026-11-24T08:15:30.500Z", Day="2026-11-24T00:00:00")]
    text, _ = converted(capture(tmp_path, rows), step())
    assert text == '<r f="true" g="2026-11-24T08:15:30.5Z" i="2026-11-24"/>\n'


# --- what is wrong ---


def test_a_finding_says_step_row_column_value_and_what_was_expected(tmp_path: Path) -> None:
    """Rows count from 1, also behind rows that passed; every wrong cell of a row is told."""
    good = row(Int="1")
    error = refusal(
        capture(tmp_path, [good, good, row(Int="x", Tiny="256"), good, row(Text="1234567")]), step()
    )
    assert str(error).splitlines() == [
        "User.xml/LoadUsers: 3 values do not fit their columns:",
        "  User.xml/LoadUsers, row 3, Tiny: 256; expected tinyint, a whole number from 0 to 255",
        "  User.xml/LoadUsers, row 3, Int: x; expected int, a whole number from -2147483648 to 2147483647",
        "  User.xml/LoadUsers, row 5, Text: 1234567; expected at most 6 characters, not 7",
    ]


def test_row_numbers_are_right_across_chunks(tmp_path: Path) -> None:
    """A wrong value far behind the first chunk of 256 KiB has the number of its row in the file."""
    rows = [row(Long="x" * 300) for _ in range(3000)]
    rows[2345] = row(Int="x")
    rows[2999] = row(Int="y", Long="_x0041_")
    findings = refusal(capture(tmp_path, rows), step()).findings
    assert [one.split(", ")[1] for one in findings] == ["row 2346", "row 3000"]


def test_a_long_value_is_shown_by_its_first_characters_with_nothing_that_moves_the_cursor(
    tmp_path: Path,
) -> None:
    """80 characters of a value are shown, control and direction characters escaped."""
    (finding,) = refusal(capture(tmp_path, [row(Int="\x1b[2J\u202e" + "x" * 200)]), step()).findings
    shown = finding.partition("Int: ")[2].partition("; expected")[0]
    assert shown == "\\x1b[2J\\u202e" + "x" * 75
    assert finding.isprintable()


@pytest.mark.parametrize("count", [19, 20, 50])
def test_at_most_twenty_findings_are_collected(tmp_path: Path, count: int) -> None:
    """With the twentieth the reading ends, and the error says that there may be more."""
    error = refusal(capture(tmp_path, [row(Int="x")] * count), step())
    assert len(error.findings) == min(count, 20)
    assert ("there may be more" in error.sentence) == (count >= 20)
    assert error.exit_code == 7


def test_a_capture_of_another_step_or_other_columns_is_refused(tmp_path: Path) -> None:
    """A capture belongs to the step and the columns that its header names."""
    path = capture(tmp_path, [row()])
    other = Step("Other.xml", "LoadUsers", "User", 1, SOURCE_TO_TARGET, "ImportedUser", columns=ALL)
    assert "it is of the step User.xml/LoadUsers, expected Other.xml/LoadUsers" in str(refusal(path, other))
    assert "the reader has changed since" in str(refusal(path, step(ALL[:-1])))
    assert "the reader has changed since" in str(refusal(path, step((*ALL[:-1], Column("X", "int", "X")))))


def test_a_malformed_line_is_told_with_its_row(tmp_path: Path) -> None:
    """A line that is no row stops the reading at once, with its number."""
    path = capture(tmp_path, [row(Int="1"), row(Int="2"), row(Int="3")])
    content = path.read_bytes()
    path.write_bytes(content.replace(b'd="2"', b'd="2'))
    assert "User.xml/LoadUsers, row 2: " in str(refusal(path, step()))
    path.write_bytes(content.replace(b'd="3"', b'd="\xff"'))
    assert "User.xml/LoadUsers, row 3: a byte is not UTF-8" in str(refusal(path, step()))


def test_the_gaps_of_a_capture_are_kept(tmp_path: Path) -> None:
    """The trailer's gaps come before those that converting makes."""
    said = Gap("warning", "two users were skipped", 2)
    columns = (Column("Name", "nvarchar", "Name", 3),)
    path = capture(tmp_path, [("abcd",)], step(columns), (said,))
    _, found = converted(path, step(columns), cuts=True)
    assert found.gaps == (said, Gap("cut", "User.xml/LoadUsers: Name was cut to its length", 1))


def test_cutting_is_for_texts_alone_and_counts_each(tmp_path: Path) -> None:
    """Under too_long = "cut" long texts are cut between characters; other misfits stay errors."""
    columns = (Column("Name", "nvarchar", "Name", 3), Column("Raw", "varbinary", "Raw", 1))
    of = step(columns)
    text, found = converted(
        capture(tmp_path, [("ab\U0001f600", None), ("x&y&z", None), ("abc", "0x00")], of), of, cuts=True
    )
    assert text == '<r a="ab"/>\n<r a="x&amp;y"/>\n<r a="abc" b="0x00"/>\n'
    assert [gap.count for gap in found.gaps] == [2]
    with pytest.raises(ReaderOutputError, match="at most 1 bytes, not 2"):
        converted(capture(tmp_path, [(None, "0x0001")], of), of, cuts=True)


# --- objects that were saved by hand ---

_FEW = step((Column("Id", "int", "Id"), Column("Name", "nvarchar", "DisplayName", 5)))


def test_properties_match_columns_without_regard_to_case(tmp_path: Path) -> None:
    """Properties feed the columns that name them, in any case and order; others are ignored."""
    path = clixml(tmp_path, '<S N="DISPLAYNAME">Zoë</S><I32 N="id">7</I32><S N="Other">x</S>')
    assert converted(path, _FEW)[0] == '<r a="7" b="Zoë"/>\n'


def test_one_property_may_feed_two_columns(tmp_path: Path) -> None:
    """Two columns of one property both get its value."""
    of = step((Column("Id", "int", "Id"), Column("Key", "nvarchar", "ID", 5)))
    assert converted(clixml(tmp_path, '<I32 N="Id">7</I32>'), of)[0] == '<r a="7" b="7"/>\n'


def test_every_column_is_nullable(tmp_path: Path) -> None:
    """Null is no attribute, and told from an empty text."""
    path = clixml(
        tmp_path, '<Nil N="Id" /><S N="DisplayName"></S>', '<I32 N="Id">1</I32><Nil N="DisplayName" />'
    )
    assert converted(path, _FEW)[0] == '<r b=""/>\n<r a="1"/>\n'


@pytest.mark.parametrize(
    ("properties", "finding"),
    [
        ('<I32 N="Id">2</I32>', "row 2, Name: nothing; expected a property 'DisplayName'"),
        (
            '<I32 N="Id">2</I32><I32 N="ID">3</I32><Nil N="DisplayName" />',
            "row 2, Id: a second property 'ID'",
        ),
        ('<I32 N="Id">2</I32><SS N="DisplayName">00</SS>', "row 2, Name: a SecureString; expected text"),
        (
            '<I32 N="Id">2</I32><Obj N="DisplayName" RefId="9"><LST /></Obj>',
            "row 2, Name: a list; expected text",
        ),
        ('<S N="Id">two</S><Nil N="DisplayName" />', "row 2, Id: two; expected int"),
        ('<I32 N="Id">2</I32><S N="DisplayName">123456</S>', "row 2, Name: 123456; expected at most 5"),
    ],
)
def test_what_is_wrong_with_an_object_is_told_with_its_row(
    tmp_path: Path, properties: str, finding: str
) -> None:
    """A missing or double property, a secret, a list, a misfit: a finding each, and no rows."""
    good = '<I32 N="Id">1</I32><Nil N="DisplayName" />'
    (found,) = refusal(clixml(tmp_path, good, properties), _FEW).findings
    assert found.startswith(f"User.xml/LoadUsers, {finding}")


def test_a_secret_is_never_in_a_finding(tmp_path: Path) -> None:
    """What a SecureString holds in the file is not told."""
    path = clixml(tmp_path, '<I32 N="Id">2</I32><SS N="DisplayName">73006500</SS>')
    assert "7300" not in str(refusal(path, _FEW))


def test_lost_rows_stop_a_conversion(tmp_path: Path) -> None:
    """A top-level Ref is no finding among others: the file is refused."""
    path = tmp_path / "saved.xml"
    path.write_text('<Objs><Obj RefId="0"><MS /></Obj><Ref RefId="0" /></Objs>', encoding="utf-8")
    assert "rows are lost" in str(refusal(path, step(())))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A capture that is gone is an error with its path."""
    assert "001.xml cannot be read" in str(refusal(tmp_path / "001.xml", _FEW))


# --- data entries ---


def test_an_entry_is_accepted_only_in_canonical_form() -> None:
    """The same rows that convert writes are accepted; a cell in another form is not."""
    of = step()
    good = entry_head(of) + row_line(LINE, row(Bit="true", Text="a&b")).encode() + ENTRY_TAIL
    facts = check_entry(io.BytesIO(good))
    assert (facts.step, facts.columns, facts.rows) == (of.id, ALL, 1)
    for changed in (good.replace(b"true", b"1"), good + b"\n", good.replace(b"a&amp;b", b"a&#38;b")):
        with pytest.raises(ReaderOutputError):
            check_entry(io.BytesIO(changed))


# --- memory ---


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Ten times the rows take no more memory."""
    peaks = []
    for count in (10_000, 100_000):
        path = capture(tmp_path, [row(Long="user & co", Int="7", Moment="2026-11-24T08:15:30Z")] * count)
        tracemalloc.start()
        assert copy_rows(path, step(), lambda _: None, too_long="refuse").rows == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2
