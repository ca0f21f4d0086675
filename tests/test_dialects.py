"""Reader XML output in every dialect: its rows as written down, its encodings, its bounds."""

from __future__ import annotations

import codecs
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.convert import dialects
from bridge.convert.clixml import decoded
from bridge.convert.values import Unfit, as_json, cell
from bridge.errors import ReaderOutputError

DATA = Path(__file__).parent / "data"
FILES = sorted([*(DATA / "powershell-7.6").glob("*.xml"), *(DATA / "serializers").glob("*.xml")])
CLIXML = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{}</Objs>'
OBJECT = '<Obj RefId="{}"><MS>{}</MS></Obj>'


def file(folder: Path, content: str | bytes) -> Path:
    """Write a file to read, in UTF-8 if it is text."""
    path = folder / "rows.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def found(path: Path) -> list[object]:
    """Return a file's rows as JSON has them."""
    return [json.loads(as_json(row)) for row in dialects.read(path)]


def refusal(path: Path) -> str:
    """Return what a file is refused with."""
    with pytest.raises(ReaderOutputError) as caught:
        list(dialects.read(path))
    return str(caught.value)


# --- real files ---


def test_every_real_file_has_its_rows_written_down() -> None:
    """The corpus and the expectations name the same files."""
    assert {f"{path.name}.jsonl" for path in FILES} == {path.name for path in (DATA / "rows").glob("*.jsonl")}
    assert len(FILES) >= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_real_output_gives_the_rows_that_are_written_down(path: Path) -> None:
    """Each file that PowerShell wrote gives exactly its rows, then its error if it is to be refused."""
    expected = DATA / "rows" / f"{path.name}.jsonl"
    error = DATA / "rows" / f"{path.name}.error"
    lines: list[str] = []
    said = ""
    try:
        for row in dialects.read(path):
            lines.append(f"{as_json(row)}\n")
    except ReaderOutputError as refused:
        said = f"{refused}\n"
    assert "".join(lines) == expected.read_text(encoding="ascii")
    assert said == (error.read_text(encoding="utf-8") if error.exists() else "")


@pytest.mark.parametrize("name", ["reused_object", "shared_references"])
def test_a_reference_instead_of_a_row_means_lost_rows(name: str) -> None:
    """Export-Clixml writes an object that is emitted again as a Ref: refused, with the way to save it."""
    with pytest.raises(ReaderOutputError, match="rows are lost") as caught:
        list(dialects.read(DATA / "powershell-7.6" / f"{name}.clixml.xml"))
    assert "ConvertTo-Xml -As Stream" in caught.value.hint


def test_a_reference_inside_a_row_is_a_shared_value(tmp_path: Path) -> None:
    """An enumeration or object that several rows share is there in each of them."""
    shared = '<Obj N="Day" RefId="9"><ToString>Friday</ToString><I32>5</I32></Obj>'
    first = OBJECT.format(0, f'<Obj N="Sku" RefId="1"><MS><S N="Name">E5</S></MS></Obj>{shared}')
    second = OBJECT.format(2, '<Ref N="Sku" RefId="1" />')
    rows = found(file(tmp_path, CLIXML.format(first + second)))
    assert rows[1] == {"Sku": {"Name": "E5"}}


def test_a_value_that_every_row_shares_is_remembered_however_many_rows_there_are(tmp_path: Path) -> None:
    """Memory for shared objects is bounded, and what is still in use is not what is forgotten."""
    first = OBJECT.format(0, '<Obj N="Sku" RefId="1"><MS><S N="Name">E5</S></MS></Obj>')
    more = "".join(OBJECT.format(number, '<Ref N="Sku" RefId="1" />') for number in range(2, 9000))
    rows = found(file(tmp_path, CLIXML.format(first + more)))
    assert len(rows) == 8999
    assert rows[-1] == {"Sku": {"Name": "E5"}}


# --- values ---


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("<I64>-9223372036854775808</I64>", -(2**63)),
        ("<U64>18446744073709551615</U64>", 2**64 - 1),
        ("<D>1.10</D>", "1.10"),
        ("<Db>1E+16</Db>", "1E+16"),
        ("<DT>2026-03-29T02:30:15.1200000+02:00</DT>", "2026-03-29T02:30:15.1200000+02:00"),
        ("<B>true</B>", True),
        ("<Nil />", None),
        ("<S></S>", ""),
        ("<SS>730065</SS>", None),
        ("<C>55357</C>", "\ud83d"),
        ("<BA>AAH+</BA>", "AAH+"),
        ("<S>_xD83D__xDE00_ _x005F_x0041_</S>", "\U0001f600 _x0041_"),
    ],
)
def test_clixml_values(tmp_path: Path, element: str, value: object) -> None:
    """Integers and booleans are such, numbers and dates the file's text; a secret is not read."""
    assert found(file(tmp_path, CLIXML.format(element))) == [{"value": value}]


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("<I32>abc</I32>", "'abc'"),
        (f"<I32>{'9' * 5000}</I32>", "'9999"),
        ("<I32>\uff11</I32>", "'\uff11'"),
        ("<B>maybe</B>", "'maybe'"),
        ("<C>70000</C>", "'70000'"),
        ("<Foo>x</Foo>", "'Foo'"),
        ('<Obj RefId="0"><MS><Ref N="a" RefId="7" /></MS></Obj>', "'7'"),
        ('<Obj RefId="0"><DCT><En><S N="Key">k</S></En></DCT></Obj>', "Key or Value"),
    ],
)
def test_clixml_that_is_not_what_it_says_is_refused(tmp_path: Path, element: str, text: str) -> None:
    """A value that does not fit its own element is named, never guessed."""
    assert text in refusal(file(tmp_path, CLIXML.format(element)))


def test_convertto_xml_that_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    """A text that does not fit its Type is named, never guessed."""
    content = '<Objects><Object Type="System.Int32">1x</Object></Objects>'
    assert "'1x' is no System.Int32" in refusal(file(tmp_path, content))


def test_indentation_is_told_from_a_line_feed(tmp_path: Path) -> None:
    """Save indents an empty text's end tag by the element's depth; any other blank text is itself."""
    content = (
        '<Objects>\n  <Object Type="System.String">\n  </Object>\n  <Object>\n'
        '    <Property Name="A" Type="System.String">\n    </Property>\n'
        '    <Property Name="B" Type="System.String">\n      </Property>\n  </Object>\n</Objects>'
    )
    assert found(file(tmp_path, content)) == [{"value": ""}, {"A": "", "B": "\n      "}]
    assert found(file(tmp_path, content.replace("\n", "\r\n"))) == [{"value": ""}, {"A": "", "B": "\n      "}]


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("<DT>2026-03-29T02:30:15.1200000Z</DT>", "2026-03-29T02:30:15.12Z"),
        ("<DT>2026-03-29T02:30:15.0000000+02:00</DT>", "2026-03-29T02:30:15+02:00"),
        ("<TS>P1DT2H3M4.5S</TS>", "1.02:03:04.5000000"),
        ("<TS>-PT2H</TS>", "-02:00:00"),
        ("<TS>PT0S</TS>", "00:00:00"),
        ("<B>True</B>", "true"),
        ("<I32>7</I32>", "7"),
        ("<Nil />", None),
    ],
)
def test_a_value_as_cell_text_is_what_the_host_would_have_written(
    tmp_path: Path, element: str, text: str | None
) -> None:
    """A file saved by hand gives the same canonical cell text as a capture."""
    (row,) = dialects.read(file(tmp_path, CLIXML.format(element)))
    assert cell(row["value"]) == text


@pytest.mark.parametrize(
    ("element", "what"),
    [
        ("<SS>73</SS>", "SecureString"),
        ("<BA>AAH+</BA>", "byte array"),
        ("<XD>&lt;a/&gt;</XD>", "written as text"),
        ('<Obj RefId="0"><LST><S>a</S></LST></Obj>', "list"),
        ('<Obj RefId="0"><MS><Obj N="value" RefId="1"><MS /></Obj></MS></Obj>', "nested object"),
        ("<TS>1 hour</TS>", "'1 hour'"),
    ],
)
def test_what_the_host_would_refuse_is_no_cell_here_either(tmp_path: Path, element: str, what: str) -> None:
    """SecureStrings, bytes, documents, lists and objects are not made into text."""
    (row,) = dialects.read(file(tmp_path, CLIXML.format(element)))
    with pytest.raises(Unfit, match=what):
        cell(row["value"])


@pytest.mark.parametrize(
    "kind", ["System.Byte[]", "System.Object[]", "System.Management.Automation.PSCustomObject"]
)
def test_an_object_that_convertto_xml_wrote_as_text_is_no_cell(tmp_path: Path, kind: str) -> None:
    """Below its depth ConvertTo-Xml writes text such as @{X=1}: shown, but never taken for a value."""
    content = f'<Objects><Object><Property Name="A" Type="{kind}">x y</Property></Object></Objects>'
    (row,) = dialects.read(file(tmp_path, content))
    assert json.loads(as_json(row)) == {"A": "x y"}
    with pytest.raises(Unfit):
        cell(row["A"])


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec=None), max_size=20))
def test_clixml_escapes_decode_to_the_text(text: str) -> None:
    """Whatever units Export-Clixml escapes, also each half of a pair, the text comes back."""
    units = text.encode("utf-16-be", "surrogatepass")
    escaped = "".join(f"_x{units[at]:02X}{units[at + 1]:02X}_" for at in range(0, len(units), 2))
    assert decoded(escaped) == units.decode("utf-16-be", "surrogatepass")


# --- encodings ---

_TEXT = '<Objects><Object Type="System.String">Zoë \U0001f600</Object></Objects>'
_SAYS_UTF8 = f'<?xml version="1.0" encoding="utf-8"?>{_TEXT}'
_SAYS_UTF16 = f'<?xml version="1.0" encoding="utf-16"?>{_TEXT}'


@pytest.mark.parametrize(
    "content",
    [
        _TEXT.encode(),
        _SAYS_UTF8.encode(),
        codecs.BOM_UTF8 + _SAYS_UTF8.encode(),
        codecs.BOM_UTF8 + _SAYS_UTF16.encode(),
        codecs.BOM_UTF16_LE + _SAYS_UTF8.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + _SAYS_UTF8.encode("utf-16-be"),
        codecs.BOM_UTF16_LE + _SAYS_UTF16.encode("utf-16-le"),
        codecs.BOM_UTF16_LE + _TEXT.encode("utf-16-le"),
        _TEXT.encode("utf-16-le"),
        _SAYS_UTF8.encode("utf-16-be"),
    ],
    ids=[
        "utf-8",
        "says-8",
        "bom",
        "bom-says-16",
        "le-says-8",
        "be-says-8",
        "le-says-16",
        "le",
        "no-bom-le",
        "no-bom-be",
    ],
)
def test_a_byte_order_mark_beats_the_declaration(tmp_path: Path, content: bytes) -> None:
    """UTF-8 and UTF-16 are read whatever the declaration says, if there is one."""
    assert found(file(tmp_path, content)) == [{"value": "Zoë \U0001f600"}]


def test_a_declared_eight_bit_encoding_is_read(tmp_path: Path) -> None:
    """Without a mark the declaration decides."""
    content = '<?xml version="1.0" encoding="windows-1252"?><Objects><Object>€ Zoë</Object></Objects>'
    assert found(file(tmp_path, content.encode("cp1252"))) == [{"value": "€ Zoë"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'<?xml version="1.0" encoding="klingon"?><Objects/>', "klingon"),
        (b'<?xml version="1.0" encoding="shift_jis"?><Objects/>', "multi-byte"),
        (b'<?xml version="1.0" encoding="utf-16"?><Objects/>', "encoding"),
        ("<Objects><Object>Zoë</Object></Objects>".encode("latin-1"), "not well-formed"),
        (codecs.BOM_UTF8 + "<Objects><Object>Zoë</Object></Objects>".encode("latin-1"), "it is not utf-8"),
        (codecs.BOM_UTF16_LE + _TEXT.encode("utf-16-le") + b"\0", "it is not utf-16"),
        (codecs.BOM_UTF16_LE + _TEXT.encode("utf-16-be"), "does not begin as XML"),
        (
            codecs.BOM_UTF16_LE
            + "<Objects><Object>\ud83d</Object></Objects>".encode("utf-16-le", "surrogatepass"),
            "utf-16",
        ),
        (b"\xff\xfe\0\0" + _TEXT.encode("utf-32-le"), "rows.xml"),
    ],
)
def test_a_wrong_encoding_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    """An encoding that is unknown, multi-byte, or not what the bytes are, is named."""
    assert said in refusal(file(tmp_path, content))


# --- what is none ---


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"Id,Name\n1,2\n",
        b'{"a": 1}',
        b"MZ\x90\0",
        b"<html></html>",
        b"<a:Objs2/>",
    ],
)
def test_a_file_that_is_no_reader_output_is_named(tmp_path: Path, content: bytes) -> None:
    """Empty, binary, CSV, JSON or other XML: the error names the file and what would be right."""
    with pytest.raises(ReaderOutputError, match=r"rows\.xml is no reader XML output") as caught:
        list(dialects.read(file(tmp_path, content)))
    assert "Export-Clixml" in caught.value.hint


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file and a folder are errors of the same class."""
    for path in (tmp_path / "missing.xml", tmp_path):
        assert str(path) in refusal(path)


@pytest.mark.parametrize("name", ["rest_json.clixml.xml", "rest_json.convertto.xml", "utf16.clixml.xml"])
def test_a_serializers_file_cut_at_any_byte_is_refused(tmp_path: Path, name: str) -> None:
    """Of all beginnings of a file only the whole one, or one that lacks blanks at its end, is read."""
    whole = (DATA / "powershell-7.6" / name).read_bytes()
    least = len(whole.rstrip(b"\r\n\0 "))
    for length in range(least):
        path = file(tmp_path, whole[:length])
        with pytest.raises(ReaderOutputError):
            list(dialects.read(path))
    assert found(file(tmp_path, whole))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<Objects>lost<Object>a</Object></Objects>", "text stands between its rows: 'lost'"),
        ("<Objects><Object>a</Object></Objects><Objects/>", "junk after document element"),
        (CLIXML.format("<S>a</S>") + "x", "junk after document element"),
    ],
)
def test_what_stands_beside_the_rows_is_not_skipped(tmp_path: Path, content: str, said: str) -> None:
    """Text between rows and anything after the end are refused."""
    assert said in refusal(file(tmp_path, content))


# --- bounds ---


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE Objs [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE Objs SYSTEM "file:///etc/passwd">',
        "<!DOCTYPE Objs>",
    ],
)
def test_entities_are_refused_before_they_grow(tmp_path: Path, declaration: str) -> None:
    """No document type and no entity declaration is accepted, so there is nothing to expand or to fetch."""
    assert "document type or entity declaration" in refusal(
        file(tmp_path, declaration + CLIXML.format("<S>&b;</S>"))
    )


def test_nesting_is_bounded(tmp_path: Path) -> None:
    """200 objects inside one another are refused by name, not by a stack that overflows."""
    deep = CLIXML.format('<Obj RefId="0"><LST>' * 200 + "</LST></Obj>" * 200)
    assert "nested more than 100 deep" in refusal(file(tmp_path, deep))
    deep = f"<Objects>{'<Property>' * 200_000}"
    assert "nested more than 100 deep" in refusal(file(tmp_path, deep))


def test_references_cannot_multiply(tmp_path: Path) -> None:
    """Objects that refer twice to the one before double with each: refused, not expanded."""
    rows = [OBJECT.format(0, '<S N="a">x</S>')]
    rows += [
        OBJECT.format(number, f'<Ref N="a" RefId="{number - 1}" /><Ref N="b" RefId="{number - 1}" />')
        for number in range(1, 60)
    ]
    assert "its references make a row of more than" in refusal(file(tmp_path, CLIXML.format("".join(rows))))


def test_references_cannot_nest_without_end(tmp_path: Path) -> None:
    """Objects that each refer to the one before nest deeper with each: refused at the same depth."""
    rows = [OBJECT.format(0, '<S N="a">x</S>')]
    rows += [OBJECT.format(number, f'<Ref N="a" RefId="{number - 1}" />') for number in range(1, 300)]
    assert "more than 100 levels" in refusal(file(tmp_path, CLIXML.format("".join(rows))))


def test_an_object_that_refers_to_itself_is_refused(tmp_path: Path) -> None:
    """A circle of references has no value."""
    assert "'0'" in refusal(file(tmp_path, CLIXML.format(OBJECT.format(0, '<Ref N="me" RefId="0" />'))))


@pytest.mark.parametrize("kind", ["attribute", "comment", "name", "open"])
def test_a_giant_tag_is_refused_before_it_is_in_memory(tmp_path: Path, kind: str) -> None:
    """One attribute, comment or name of 40 MB is refused at 1 MiB, without holding it."""
    giant = "x" * 40_000_000
    content = {
        "attribute": f'<Objects><Object><Property Name="{giant}">a</Property></Object></Objects>',
        "comment": f"<Objects><!--{giant}--></Objects>",
        "name": f"<Objects><{giant}/></Objects>",
        "open": f'<Objects><Object><Property Name="{giant}',
    }[kind]
    path = file(tmp_path, content)
    del giant, content
    tracemalloc.start()
    try:
        assert "one tag of it holds more than 1,048,576 bytes" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('<Object Type="System.String">' + "x" * 17_000_000 + "</Object>", "characters"),
        ("<Object>" + "<Property>1</Property>" * 100_001 + "</Object>", "elements"),
    ],
)
def test_one_row_is_bounded(tmp_path: Path, row: str, said: str) -> None:
    """A row of more than 16 Mi characters or 100,000 elements is refused."""
    assert said in refusal(file(tmp_path, f"<Objects>{row}</Objects>"))


@pytest.mark.parametrize("dialect", ["clixml", "convertto"])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, dialect: str) -> None:
    """Ten times the rows take no more memory."""
    if dialect == "clixml":
        row, form = OBJECT.format("{0}", '<S N="Name">user {0}</S><Nil N="Mail" />'), CLIXML
    else:
        row, form = (
            '<Object><Property Name="Name" Type="System.String">user {0}</Property></Object>',
            "<Objects>{}</Objects>",
        )
    peaks = []
    for count in (5_000, 20_000):
        path = file(tmp_path, form.format("".join(row.format(number) for number in range(count))))
        tracemalloc.start()
        assert sum(1 for _ in dialects.read(path)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2
