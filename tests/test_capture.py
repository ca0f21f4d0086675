"""Captures: what the writer writes, what the reader refuses, and that text survives exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.capture import (
    CaptureWriter,
    Header,
    RowForm,
    attribute,
    escape,
    keys,
    openings,
    row_line,
    unescape,
)
from bridge.convert import dialects
from bridge.convert.frames import Frames, parse_header, parse_trailer
from bridge.convert.values import Row, as_json
from bridge.errors import ReaderOutputError
from bridge.model import Column, Gap

COLUMNS = (
    Column("Id", "int", "Id"),
    Column("Name", "nvarchar", "DisplayName", 256),
    Column("Licensed", "bit", "Licensed"),
    Column("Price", "decimal", "Price", None, 18, 2),
)
HEADER = Header(
    reader='Contoso "A" & <B>',
    owner="path",
    reader_sha256="0f" * 32,
    file="User.xml",
    procedure="User",
    step="LoadUsers",
    table="ImportedUser",
    columns=COLUMNS,
    engine="native",
    bits="none",
    version="3.11.9",
    start="2026-11-22T08:15:30Z",
)
ROWS = (
    ("1", "Zoë <1> & 'q' \"Q\"", "true", "1.50"),
    ("2", None, "false", None),
    (None, "a\r\nb\tc\x00 _x0041_", None, "0"),
)
GAPS = (Gap("warning", "two\nlines & <more>", 2), Gap("skipped", "user 7", 1))

# All of Unicode, with lone surrogates, and often what is hard about it.
texts = st.lists(
    st.one_of(
        st.characters(codec=None),
        st.characters(max_codepoint=0x20),
        st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF),
        st.sampled_from(
            [
                "_",
                "_x",
                "_x0041_",
                "_x005F_",
                "_xD83D_",
                "_x004",
                "\ufffe",
                "\uffff",
                "&amp;",
                "]]>",
                '"',
                "\r\n",
            ]
        ),
    ),
    max_size=12,
).map("".join)


def write(
    path: Path,
    rows: Iterable[tuple[str | None, ...]] = ROWS,
    header: Header = HEADER,
    gaps: tuple[Gap, ...] = (),
) -> Path:
    """Write a whole capture."""
    with CaptureWriter(path, header) as capture:
        for cells in rows:
            capture.write(cells)
        capture.finish(gaps)
    return path


def read(path: Path) -> list[Row]:
    """Return the rows of a file."""
    return list(dialects.read(path))


def refusal(path: Path) -> str:
    """Return what a file is refused with."""
    with pytest.raises(ReaderOutputError) as caught:
        read(path)
    return str(caught.value)


def joined(text: str) -> str:
    """Return a text as UTF-16 has it: two halves that stand side by side are one character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


# --- what is written ---


def test_writes_the_bytes_that_the_format_describes(tmp_path: Path) -> None:
    """Header, rows one to a line, trailer; null is no attribute; markup and controls are escaped."""
    written = write(tmp_path / "001.xml", gaps=GAPS).read_bytes().decode()
    before, _, after = written.partition("<trailer")
    assert before == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<capture xmlns="urn:beacon-bridge:capture:1" version="1">\n'
        f'<header reader="Contoso &quot;A&quot; &amp; &lt;B&gt;" owner="path" reader-sha256="{"0f" * 32}" '
        'file="User.xml" procedure="User" step="LoadUsers" table="ImportedUser" engine="native" bits="none" '
        'version="3.11.9" start="2026-11-22T08:15:30Z">\n'
        '<column key="a" name="Id" type="int" property="Id"/>\n'
        '<column key="b" name="Name" type="nvarchar" length="256" property="DisplayName"/>\n'
        '<column key="c" name="Licensed" type="bit" property="Licensed"/>\n'
        '<column key="d" name="Price" type="decimal" precision="18" scale="2" property="Price"/>\n'
        "</header>\n<rows>\n"
        '<r a="1" b="Zoë &lt;1&gt; &amp; \'q\' &quot;Q&quot;" c="true" d="1.50"/>\n'
        '<r a="2" c="false"/>\n'
        '<r b="a&#xD;&#xA;b&#x9;c_x0000_ _x005F_x0041_" d="0"/>\n'
        "</rows>\n"
    )
    assert after.startswith(' rows="3" end="2')
    assert after.endswith(
        '<gap name="warning" count="2" text="two&#xA;lines &amp; &lt;more&gt;"/>'
        '<gap name="skipped" count="1" text="user 7"/></trailer>\n</capture>\n'
    )


def test_the_schema_accepts_what_the_writer_writes(tmp_path: Path) -> None:
    """Every capture validates against capture.xsd, with and without rows and gaps."""
    schema = _schema()
    for rows, gaps in ((ROWS, GAPS), ((), ())):
        schema.assertValid(etree.parse(write(tmp_path / "001.xml", rows, gaps=gaps)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version="1">', 'version="2">'),
        (' bits="none"', ' bits="16"'),
        (' owner="path"', ""),
        (' rows="3"', ' rows="03"'),
        ("<rows>", '<rows x="1">'),
        ('<r a="2"', '<q a="2"'),
        ("</capture>", "<more/></capture>"),
        ("urn:beacon-bridge:capture:1", "urn:other"),
    ],
)
def test_the_schema_refuses_what_the_format_does_not_have(tmp_path: Path, old: str, new: str) -> None:
    """capture.xsd is no rubber stamp: each of these changes makes a capture invalid."""
    text = write(tmp_path / "001.xml").read_text(encoding="utf-8")
    assert old in text
    assert not _schema().validate(etree.fromstring(text.replace(old, new, 1).encode()))


def _schema() -> etree.XMLSchema:
    found = files("bridge.importprocedures") / "schemas" / "capture.xsd"
    return etree.XMLSchema(etree.fromstring(found.read_bytes()))


def test_a_capture_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    """Until `finish` there is only a .part file, which a writer that fails leaves behind for support."""
    path = tmp_path / "001.xml"
    with pytest.raises(RuntimeError), CaptureWriter(path, HEADER) as capture:
        capture.write(ROWS[0])
        assert not path.exists()
        raise RuntimeError
    assert not path.exists()
    assert '<r a="1"' in (tmp_path / "001.xml.part").read_text(encoding="utf-8")


def test_a_row_of_the_wrong_width_is_a_bug_and_not_a_row(tmp_path: Path) -> None:
    """The writer takes exactly one cell a column."""
    with CaptureWriter(tmp_path / "001.xml", HEADER) as capture, pytest.raises(ValueError, match="zip"):
        capture.write(("1", "2"))


def test_column_keys_go_on_after_z() -> None:
    """Keys are a to z, then aa, ab; each is used once."""
    found = keys(26 + 26 * 26 + 2)
    assert found[:2] + found[25:28] + found[-3:] == ("a", "b", "z", "aa", "ab", "zz", "aaa", "aab")
    assert len(set(found)) == len(found)


# --- what is read ---


def test_reads_rows_by_property_with_whole_numbers_and_bits_as_such(tmp_path: Path) -> None:
    """A capture's row has every property; null where there is no attribute; decimals keep their text."""
    assert [json.loads(as_json(row)) for row in read(write(tmp_path / "001.xml"))] == [
        {"Id": 1, "DisplayName": "Zoë <1> & 'q' \"Q\"", "Licensed": True, "Price": "1.50"},
        {"Id": 2, "DisplayName": None, "Licensed": False, "Price": None},
        {"Id": None, "DisplayName": "a\r\nb\tc\x00 _x0041_", "Licensed": None, "Price": "0"},
    ]


def test_header_and_trailer_come_back(tmp_path: Path) -> None:
    """What the writer was told is what a reader of the file learns."""
    path = write(tmp_path / "001.xml", gaps=GAPS)
    with path.open("rb") as file:
        frames = Frames(file.read, path.name)
        assert parse_header(frames.head(), frames) == HEADER
        assert b"".join(frames.lines()).count(b"<r ") == 3
        trailer = parse_trailer(frames.tail(), frames)
    assert (trailer.rows, trailer.gaps) == (3, GAPS)


# --- text survives ---


@settings(max_examples=200, deadline=None)
@given(texts)
@example("\ud83d" + "\ude00")
@example("\ude00\ud83d")
@example("_x005F_x0041_")
@example("_\x01x0041_\x02_x0041\ufffe")
def test_escape_and_unescape_are_inverse(text: str) -> None:
    """Whatever the text, its escaped form is XML 1.0 and gives it back, as UTF-16 has it."""
    escaped = escape(text)
    etree.fromstring(f'<r a="{attribute(escaped)}"/>')
    assert joined(unescape(escaped)) == joined(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(texts, st.none() | texts), max_size=8))
def test_text_survives_exactly(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str | None]]
) -> None:
    """Any Unicode text written as a cell is read back as it was, and null is told from empty."""
    path = tmp_path_factory.mktemp("capture") / "001.xml"
    columns = (Column("A", "nvarchar", "A"), Column("B", "ntext", "B"))
    header = replace(HEADER, columns=columns)
    found = [(row["A"], row["B"]) for row in read(write(path, pairs, header))]
    assert found == [(joined(one), None if two is None else joined(two)) for one, two in pairs]


@settings(max_examples=60, deadline=None)
@given(texts)
def test_header_and_gap_texts_survive_too(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Names of readers and columns and the texts of gaps may hold any character as well."""
    path = tmp_path_factory.mktemp("capture") / "001.xml"
    columns = (Column(joined(text), "nvarchar", joined(text) + "'s"),)
    header = replace(HEADER, reader=joined(text), columns=columns)
    write(path, [("x",)], header, (Gap("warning", joined(text)),))
    with path.open("rb") as file:
        frames = Frames(file.read, path.name)
        assert parse_header(frames.head(), frames) == header
        list(frames.lines())
        assert parse_trailer(frames.tail(), frames).gaps == (Gap("warning", joined(text)),)


# --- what is refused ---


def test_a_capture_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    """Of all beginnings of a capture, only the whole one is read."""
    whole = write(tmp_path / "001.xml", gaps=GAPS).read_bytes()
    path = tmp_path / "cut.xml"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert refusal(path)
    path.write_bytes(whole)
    assert len(read(path)) == 3


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('<trailer rows="3"', '<trailer rows="2"', "its trailer counts 2 rows, it has 3"),
        ('<r a="2" c="false"/>\n', "", "its trailer counts 3 rows, it has 2"),
        ("</capture>\n", "</capture>\n\n", "bytes follow its end"),
        ("</capture>\n", "</capture>\n<!-- later -->", "bytes follow its end"),
        ("</capture>\n", "</capture>", "bytes follow its end, or its trailer is not in the form"),
        ('<r a="2"', '<r z="2"', "row 2: it has the attribute 'z', which is no column"),
        ('<r a="2"', '<s a="2"', "row 2: it is no row"),
        ('<r a="2" c="false"', '<r c="false" a="2"', "row 2: it is not in the form"),
        ('<r a="2"', "<r a='2'", "row 2: it is no"),
        ("_x0000_", "\x01", "row 3: it is cut short, or no well-formed XML"),
        ("_x005F_x0041_", "_x0062_", "row 3: it is not in the form"),
        (' bits="none"', "", "its header is not whole: 'bits'"),
        (' bits="none" version="3.11.9"', ' version="3.11.9" bits="none"', "its header is not in the form"),
        ('version="1">', 'version="2">', "it is no capture of version 1"),
        ('<?xml version="1.0" encoding="utf-8"?>\n', "<!DOCTYPE capture []>\n", "document type"),
        ('<column key="b"', '<column key="x"', "its header is not in the form"),
        ("</rows>", "<r/></rows>", "row 4: it is cut short, or no well-formed XML"),
    ],
)
def test_anything_but_a_whole_capture_in_its_only_form_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """A wrong count, bytes after the end, an unknown attribute, another form: each is refused by name."""
    path = write(tmp_path / "001.xml")
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    assert said in refusal(path)


def test_a_capture_with_a_byte_order_mark_or_crlf_is_refused(tmp_path: Path) -> None:
    """A capture that an editor or a transfer in text mode has been at is no longer what the engine wrote."""
    path = write(tmp_path / "001.xml")
    whole = path.read_bytes()
    for changed in (b"\xef\xbb\xbf" + whole, whole.replace(b"\n", b"\r\n")):
        path.write_bytes(changed)
        assert "001.xml" in refusal(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1", "cp037"])
def test_a_capture_in_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    """A capture is UTF-8; one that was converted on its way is refused, also where the text says so."""
    text = write(tmp_path / "001.xml", [("1", "Zoë", "true", None)]).read_bytes().decode()
    for changed in (text, text.replace('"utf-8"', f'"{encoding}"', 1)):
        path = tmp_path / "002.xml"
        path.write_bytes(changed.encode(encoding))
        assert "002.xml" in refusal(path)


def test_no_byte_can_change_unseen(tmp_path: Path) -> None:
    """After a change of any one byte the capture is refused, or what it says (header, rows, gaps) differs.

    A capture has no checksum: a changed letter of a name is another name. The run's record has its SHA-256.
    """
    path = write(tmp_path / "001.xml", [("1", "a&b", "true", None)], gaps=GAPS[1:])
    whole = path.read_bytes()
    said = _all_of(path)
    for place in range(len(whole)):
        for flipped in (whole[place] ^ 1, 0x0A, 0x22):
            changed = whole[:place] + bytes([flipped]) + whole[place + 1 :]
            if changed == whole:
                continue
            path.write_bytes(changed)
            try:
                found = _all_of(path)
            except ReaderOutputError:
                continue
            assert found != said, changed


def _all_of(path: Path) -> object:
    rows = read(path)
    with path.open("rb") as file:
        frames = Frames(file.read, path.name)
        header = parse_header(frames.head(), frames)
        list(frames.lines())
        return header, rows, parse_trailer(frames.tail(), frames)


def test_endless_lines_and_tails_are_refused_without_reading_them_whole(tmp_path: Path) -> None:
    """A line of more than 16 MiB, or megabytes behind the end, are refused by name."""
    path = write(tmp_path / "001.xml")
    before, _, after = path.read_bytes().partition(b"</rows>\n")
    path.write_bytes(before + b'<r b="' + b"x" * (17 * 1024 * 1024) + b'"/>\n</rows>\n' + after)
    assert "it has a line of more than 16 MiB" in refusal(path)
    path.write_bytes(before + b"</rows>\n" + after + b" " * (17 * 1024 * 1024))
    assert "bytes follow its end" in refusal(path)


# --- many rows at a time ---


@given(st.lists(st.none() | texts, min_size=4, max_size=4), st.lists(texts, min_size=4, max_size=4))
@example(["a", None, 'b" c="<>&', "\t\r\n"], ["\x01", "\ufffe", "_x0041_", "\ud800"])
@example(["\x02\x03\x04", "\uff08\uffff", "", None], ["Zoë", "\U0001f600", "_x", "\x7f"])
def test_a_row_form_makes_the_lines_of_row_line(first: list[str | None], second: list[str]) -> None:
    """A form made for one row makes of every row with the same nulls the line that is made cell by cell."""
    form = RowForm.of(openings(4), first)
    for cells in (
        tuple(first),
        tuple(None if one is None else other for one, other in zip(first, second, strict=True)),
    ):
        assert form.line(cells).decode() == row_line(openings(4), cells)


def test_a_writer_takes_lines_and_can_begin_again(tmp_path: Path) -> None:
    """Rows that were thrown away leave nothing behind; lines count as rows."""
    lines = [row_line(openings(4), row).encode() for row in ROWS]
    for name, thrown in (("plain.xml", 0), ("again.xml", 1000)):
        with CaptureWriter(tmp_path / name, HEADER) as writer:
            writer.write_lines(lines * thrown)
            writer.write(ROWS[0])
            writer.restart()
            writer.write_lines(lines)
            assert writer.rows == len(ROWS)
            assert writer.finish().rows == len(ROWS)
    again, plain = ((tmp_path / name).read_text() for name in ("again.xml", "plain.xml"))
    assert again.partition("<trailer")[0] == plain.partition("<trailer")[0]
    assert again.count("<r ") == len(ROWS)
