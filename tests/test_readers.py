"""Reader folders read whole: what is taken, what is taken with a warning, what is refused and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import BeaconError
from bridge.model import Column, InputVariable, Owner, Parameter, Reader
from bridge.readers import folder as reader_folder
from bridge.readers.definitions import MOST_BYTES
from bridge.sqltypes import NAMES, ColumnType, column_type
from bridge.system import WINDOWS
from tests.folders import (
    COLUMNS,
    HOLDER,
    INPUTS,
    PARAMETERS,
    TEST_CONNECTION,
    VERSION_CHECK,
    XSI,
    config_xml,
    make_reader_folder,
    readers_xml,
    source_step,
    target_step,
)

CONFIG = config_xml({"Holder.xml": "Computer"})
NOT_WELL = "no well-formed XML"
not_on_windows = pytest.mark.skipif(WINDOWS, reason="Windows has one name for both cases, and guards links")


def load(folder: Path, override: Path | None = None) -> Reader:
    """Read a folder as the beacon's."""
    return reader_folder.load(folder, Owner.BEACON, override)


def read(tmp_path: Path, *steps: str) -> Reader:
    """Read a folder whose one reader XML file holds these steps."""
    return load(make_reader_folder(tmp_path, readers={"Holder.xml": readers_xml(*steps)}))


def refusal(folder: Path) -> str:
    """Return why a folder is refused."""
    with pytest.raises(BeaconError) as caught:
        load(folder)
    assert caught.value.exit_code == 4
    assert caught.value.hint
    return str(caught.value)


# --- the whole folder ---


def test_a_whole_folder(tmp_path: Path) -> None:
    """Parameters, scripts, functions, steps and columns are those of the files."""
    folder = make_reader_folder(tmp_path)
    found = load(folder)
    assert (found.name, found.folder, found.owner) == ("Badge Service", folder, Owner.BEACON)
    assert found.parameters == (
        Parameter("ServiceUrl", "Badge service", "text", mandatory=True, secret=False),
        Parameter("ApiKey", "API key", "password", mandatory=True, secret=True),
    )
    assert found.scripts == (folder / "Badges.ps1",)
    both = (InputVariable("ServiceUrl", "ServiceUrl"), InputVariable("ApiKey", "ApiKey"))
    assert found.test is not None
    assert (found.test.method, found.test.inputs) == ("PingBadges", both)
    assert found.version_check is not None
    assert (found.version_check.method, found.version_check.inputs) == ("BadgesVersion", both[:1])
    (step,) = found.to_collect
    assert (step.id, step.procedure, step.order, step.table, step.method, step.inputs) == (
        "Holder.xml/LoadHolder",
        "Computer",
        110,
        "#Holder",
        "ListHolders",
        both,
    )
    assert step.columns == (
        Column("HolderID", "int", "HolderID"),
        Column("Mail", "nvarchar", "Mail", 200),
    )
    assert found.warnings == ()


def test_execute_on_target_is_listed_as_the_servers_work(tmp_path: Path) -> None:
    """The server's steps keep their place in the list and are not among those to collect."""
    found = load(make_reader_folder(tmp_path))
    assert [(step.name, step.collected) for step in found.steps] == [
        ("PrepareHolder", False),
        ("LoadHolder", True),
    ]


ENCODINGS = {
    "UTF-8 mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "no mark": str.encode,
    "UTF-16 little": lambda text: ("\ufeff" + text).encode("utf-16-le"),
    "UTF-16 big": lambda text: ("\ufeff" + text).encode("utf-16-be"),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0" encoding="utf-8"?>\n'])
def test_a_byte_order_mark_beats_a_declaration_and_neither_is_needed(
    tmp_path: Path, encode: object, declaration: str
) -> None:
    """UTF-8 with and without mark and UTF-16 with one are read, with a declaration or none."""
    assert callable(encode)
    config = declaration + CONFIG.partition("\n")[2].replace("API key", "Schlüssel")
    readers = {"Holder.xml": encode(declaration + HOLDER)}
    found = load(make_reader_folder(tmp_path, readers=readers, config=encode(config)))
    assert found.parameters[1].display == "Schlüssel"
    assert len(found.steps) == 2


def test_a_declared_code_page_is_read(tmp_path: Path) -> None:
    """A file in a Windows code page is fine when it says so."""
    text = CONFIG.replace("utf-8", "windows-1252").replace("API key", "Schlüssel")
    found = load(make_reader_folder(tmp_path, config=text.encode("cp1252")))
    assert found.parameters[1].display == "Schlüssel"


@pytest.mark.parametrize(
    "xml",
    [
        HOLDER,
        HOLDER.replace(f" {XSI}", "").replace("<Reader ", f"<Reader {XSI} "),
        HOLDER.replace("xsi:", "kind:").replace(":xsi=", ":kind="),
        HOLDER.replace('xsi:type="', 'xsi:type="p:'),
    ],
    ids=["on the root", "on each step", "another prefix", "a prefixed value"],
)
def test_xsi_may_be_declared_anywhere(tmp_path: Path, xml: str) -> None:
    """The namespace counts, not the prefix or the place where it is declared."""
    found = load(make_reader_folder(tmp_path, readers={"Holder.xml": xml}))
    assert [step.kind for step in found.steps] == ["ExecuteOnTarget", "SourceToTarget"]


def test_comments_and_processing_instructions_are_nothing(tmp_path: Path) -> None:
    """A comment between any two elements changes nothing."""
    note = "<!-- note --><?note?>"
    xml = HOLDER.replace("<OutputSchema", f"{note}<OutputSchema").replace("<Reader ", f"{note}<Reader ")
    config = CONFIG.replace("<Parameter ", f"{note}<Parameter ").replace("<Readers>", f"<Readers>{note}")
    found = load(make_reader_folder(tmp_path, readers={"Holder.xml": xml}, config=config))
    assert [len(step.columns) for step in found.steps] == [0, 2]


# --- order ---


def test_steps_run_by_procedure_then_order_then_as_written(tmp_path: Path) -> None:
    """Procedures in the public order, unknown ones after, Complete last; ties as the files are listed."""
    names = ("End", "Odd", "Evidence", "Late", "Early")
    files = {
        f"{name}.xml": readers_xml(
            source_step(f"{name}B", 150), source_step(f"{name}A", 100), source_step(f"{name}C", 150)
        )
        for name in names
    }
    procedures = {"End.xml": "Complete", "Odd.xml": "CloudInstance", "Evidence.xml": "Evidence"}
    found = load(make_reader_folder(tmp_path, readers=files, procedures=procedures))
    assert [step.name for step in found.steps] == [
        *("LateA", "EarlyA", "LateB", "LateC", "EarlyB", "EarlyC"),
        *("EvidenceA", "EvidenceB", "EvidenceC"),
        *("OddA", "OddB", "OddC"),
        *("EndA", "EndB", "EndC"),
    ]
    assert [warning for warning in found.warnings if "CloudInstance" in warning] == [
        "readerV3.config:14: the procedure CloudInstance is not in the public list: "
        "it runs after those, before Complete."
    ]


def test_order_is_a_number_and_not_a_text(tmp_path: Path) -> None:
    """20 comes before 100, and a negative one before both."""
    found = read(tmp_path, source_step("A", 100), source_step("B", 20), source_step("C", -1))
    assert [step.name for step in found.steps] == ["C", "B", "A"]


def test_version_from_is_kept(tmp_path: Path) -> None:
    """A step says from which version of the source on it applies."""
    found = read(tmp_path, source_step(more='VersionFrom="8.4"'), source_step("Always"))
    assert [step.version_from for step in found.steps] == ["8.4", None]


def test_the_same_name_in_two_files_makes_two_steps(tmp_path: Path) -> None:
    """A step is its file and its name; two steps may fill one table."""
    files = {name: readers_xml(source_step()) for name in ("A.xml", "B.xml")}
    found = load(make_reader_folder(tmp_path, readers=files))
    assert [step.id for step in found.steps] == ["A.xml/LoadHolder", "B.xml/LoadHolder"]
    assert {step.table for step in found.steps} == {"#Holder"}


def test_columns_keep_their_order_and_a_property_defaults_to_the_name(tmp_path: Path) -> None:
    """The order of the OutputSchema elements is that of the receiving table."""
    columns = '<OutputSchema Name="Z" Type="INT"/><OutputSchema Name="A" Type="bit" Property="b"/>'
    (step,) = read(tmp_path, source_step(columns=columns)).to_collect
    assert step.columns == (Column("Z", "int", "Z"), Column("A", "bit", "b"))


# --- names as Windows finds them ---


def test_names_are_found_in_any_case(tmp_path: Path) -> None:
    """A folder copied from Windows works where file names differ in case from what the files say."""
    folder = make_reader_folder(tmp_path)
    (folder / "Holder.xml").rename(folder / "HOLDER.XML")
    (folder / "Badges.ps1").rename(folder / "badges.PS1")
    (folder / "readerV3.config").rename(folder / "ReaderV3.Config")
    found = load(tmp_path / "badge SERVICE")
    assert (found.name, found.folder, found.scripts) == ("Badge Service", folder, (folder / "badges.PS1",))
    assert [step.id for step in found.to_collect] == ["Holder.xml/LoadHolder"]


@not_on_windows
def test_the_exact_name_comes_before_one_in_another_case(tmp_path: Path) -> None:
    """Where both are there, the name as written is meant."""
    folder = make_reader_folder(tmp_path)
    (folder / "HOLDER.xml").write_text("not this one")
    assert len(load(folder).steps) == 2


def test_a_script_in_a_folder_below_is_named_with_either_separator(tmp_path: Path) -> None:
    """The vendor's files name paths as Windows does."""
    for separator in ("/", "\\"):
        config = CONFIG.replace('InitScript Name="', f'InitScript Name="parts{separator}')
        folder = make_reader_folder(tmp_path / f"case{ord(separator)}", config=config)
        (folder / "parts").mkdir()
        (folder / "parts" / "Badges.ps1").write_text("# here")
        assert load(folder).scripts == (folder / "parts" / "Badges.ps1",)


# --- lenient, with a warning ---


@pytest.mark.parametrize("kind", ['Type="choice"', 'Type="Text"', ""])
def test_a_parameter_of_an_unknown_type_is_a_secret_text_with_a_warning(tmp_path: Path, kind: str) -> None:
    """A genuine folder may know more types than we do; the warning names the parameter and its line."""
    config = CONFIG.replace('Type="text"', kind)
    found = load(make_reader_folder(tmp_path, config=config))
    assert found.parameters[0].secret
    (warning,) = found.warnings
    assert warning.startswith("readerV3.config:3: the parameter ServiceUrl has the unknown type")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('Version="3.0"', 'Version="4.1"', "Version is '4.1'"),
        ("  <Readers>", "  <Extras/>\n  <Readers>", "the element Extras is not known"),
        ('DisplayText="API key"', 'DisplayText="API key" Default="x"', "the attribute Default of Parameter"),
        ('"Badges.ps1" Method', '"Other.ps1" Method', "Other.ps1 is no InitScript"),
    ],
)
def test_what_is_not_known_is_said_and_not_dropped_silently(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    """What readerV3.config may hold beyond the public adapters gets a warning with file and line."""
    folder = make_reader_folder(tmp_path, config=CONFIG.replace(old, new))
    (folder / "Other.ps1").touch()
    (warning,) = load(folder).warnings
    assert expected in warning
    assert warning.startswith("readerV3.config:")


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (source_step(more='VersionTo="9"'), "Holder.xml:2: the attribute VersionTo of Reader"),
        (
            source_step(columns=COLUMNS.replace('Length="200"', 'Length="200" Collation="x"')),
            "Holder.xml:4: the attribute Collation of OutputSchema",
        ),
    ],
)
def test_an_unknown_attribute_of_a_step_is_said(tmp_path: Path, step: str, expected: str) -> None:
    """An upper bound of versions, say, would change what a step means."""
    (warning,) = read(tmp_path, step).warnings
    assert warning.startswith(expected)


def test_functions_take_their_inputs_under_either_name(tmp_path: Path) -> None:
    """VersionCheck calls them Parameter, TestConnection InputVariable; each takes both."""
    config = CONFIG.replace("<Parameter Name", "<InputVariable Name", 3).replace(
        "<InputVariable Name", "<Parameter Name", 2
    )
    found = load(make_reader_folder(tmp_path, config=config))
    assert found.version_check is not None
    assert [one.name for one in found.version_check.inputs] == ["ServiceUrl"]


def test_an_input_is_the_functions_name_and_the_parameter_that_fills_it(tmp_path: Path) -> None:
    """Name is the function's parameter, Variable the connection's."""
    inputs = '<InputVariable Name="Url" Variable="ServiceUrl"/>'
    (step,) = read(tmp_path, source_step(inputs=inputs)).to_collect
    assert step.inputs == (InputVariable(name="Url", variable="ServiceUrl"),)


def test_functions_may_be_missing(tmp_path: Path) -> None:
    """A folder without TestConnection and VersionCheck can be run."""
    found = load(make_reader_folder(tmp_path, config=config_xml({"Holder.xml": "Computer"}, functions="")))
    assert (found.test, found.version_check) == (None, None)


# --- column types ---


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_column_type_of_bulk_copy_is_understood(tmp_path: Path, name: str) -> None:
    """All column types of SQL Server are read, in any case."""
    columns = f'<OutputSchema Name="C" Type="{name.upper()}" Property="C"/>'
    (step,) = read(tmp_path, source_step(columns=columns)).to_collect
    assert step.columns[0].type == name


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("nvarchar", "200", ColumnType("nvarchar", 200)),
        ("nvarchar(200)", None, ColumnType("nvarchar", 200)),
        ("nvarchar ( 200 )", None, ColumnType("nvarchar", 200)),
        ("nvarchar(200)", "100", ColumnType("nvarchar", 100)),
        ("nvarchar(max)", None, ColumnType("nvarchar")),
        ("nvarchar", "MAX", ColumnType("nvarchar")),
        ("nvarchar", "-1", ColumnType("nvarchar")),
        ("nvarchar", None, ColumnType("nvarchar")),
        ("varbinary", "16", ColumnType("varbinary", 16)),
        ("decimal", None, ColumnType("decimal", None, 18, 0)),
        ("numeric(9, 4)", None, ColumnType("numeric", None, 9, 4)),
        ("dec(5)", None, ColumnType("decimal", None, 5, 0)),
        ("Integer", "4", ColumnType("int")),
        ("datetime2(7)", None, ColumnType("datetime2")),
    ],
)
def test_lengths_precisions_and_synonyms(text: str, length: str | None, expected: ColumnType) -> None:
    """A length stands beside the type or in it."""
    assert column_type(text, length) == expected


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("string", None),
        ("cursor", None),
        ("nvarchar(", None),
        ("nvarchar(0)", None),
        ("nvarchar", "0"),
        ("nvarchar", "many"),
        ("nvarchar", "٣"),
        ("nvarchar", "4294967296"),
        ("decimal(max)", None),
        ("decimal(39)", None),
        ("decimal(5,6)", None),
        ("int; drop", None),
    ],
)
def test_a_column_type_that_is_not_understood_is_refused(
    tmp_path: Path, text: str, length: str | None
) -> None:
    """An unknown type names file, line and column."""
    extra = f'Length="{length}"' if length is not None else ""
    columns = f'<OutputSchema Name="Mail" Type="{text}" {extra} Property="Mail"/>'
    folder = make_reader_folder(tmp_path, readers={"Holder.xml": readers_xml(source_step(columns=columns))})
    assert f"{folder / 'Holder.xml'}:4: the column 'Mail': " in refusal(folder)


# --- refused, with file and line ---

STEP_REFUSALS = {
    "unknown xsi:type": (source_step().replace("SourceToTarget", "SourceToMoon"), 2, "unknown xsi:type"),
    "no xsi:type": (source_step().replace('xsi:type="SourceToTarget"', ""), 2, "unknown xsi:type ''"),
    "not ours": (source_step().replace("SourceToTarget", "TargetToSource"), 2, "TargetToSource steps"),
    "SQL": (source_step().replace('Language="PowerShell"', ""), 2, "is in SQL"),
    "no name": (source_step(name=" "), 2, "Reader has no Name"),
    "no order": (source_step().replace('Order="110"', ""), 2, "Reader has no Order"),
    "odd order": (source_step().replace('"110"', '"--5"'), 2, "expected a whole number"),
    "endless order": (source_step().replace('"110"', f'"{"9" * 5000}"'), 2, "expected a whole number"),
    "no table": (source_step(table=""), 2, "Reader has no Table"),
    "no method": (source_step(method=""), 2, "Reader has no Method"),
    "odd version": (source_step(more='VersionFrom="8.x"'), 2, "expected dotted numbers"),
    "no columns": (source_step(columns=""), 2, "no OutputSchema"),
    "unresolvable": (
        source_step(inputs=INPUTS.replace('Variable="ApiKey"', 'Variable="Key"')),
        3,
        "no parameter is called 'Key', which 'ApiKey' needs",
    ),
    "filled twice": (source_step(inputs=INPUTS + INPUTS), 3, "filled twice"),
    "column twice": (
        source_step(columns=COLUMNS.replace('Name="Mail"', 'Name="HOLDERID"')),
        4,
        "the column 'HOLDERID' stands there twice",
    ),
    "unknown child": (source_step(columns=COLUMNS + "<Filter/>"), 4, "unknown element 'Filter'"),
    "step twice": (source_step() + source_step(), 6, "the step 'LoadHolder' is defined twice"),
}


@pytest.mark.parametrize(("step", "line", "expected"), STEP_REFUSALS.values(), ids=STEP_REFUSALS)
def test_a_step_that_cannot_be_trusted_is_refused(
    tmp_path: Path, step: str, line: int, expected: str
) -> None:
    """Each refusal names the reader XML file and the line."""
    folder = make_reader_folder(tmp_path, readers={"Holder.xml": readers_xml(step)})
    text = refusal(folder)
    assert text.startswith(f"{folder / 'Holder.xml'}:{line}: ")
    assert expected in text


CONFIG_REFUSALS = {
    "root": ("Configuration", "Konfiguration", 2, "the root element is"),
    "language": ('Version="3.0" Language="PowerShell"', 'Version="3.0" Language="SQL"', 2, "'SQL'"),
    "no language": (' Language="PowerShell">\n  <Par', ">\n  <Par", 2, "Language is 'none'"),
    "parameter twice": ('Name="ApiKey" D', 'Name="SERVICEURL" D', 3, "declared twice"),
    "section twice": ("  <Readers>", "<Parameters/><Readers>", 14, "Parameters stands there twice"),
    "script missing": ('InitScript Name="Badges', 'InitScript Name="Nowhere', 4, "no file 'Nowhere.ps1'"),
    "test's script missing": ('File="Badges.ps1"', 'File="Gone.ps1"', 6, "there is no file 'Gone.ps1'"),
    "two sources": ("  </TestConnection>", "<Source/></TestConnection>", 10, "more than one Source"),
    "test in SQL": ('Name="Ping" Language="PowerShell"', 'Name="Ping" Language="SQL"', 6, "'SQL'"),
    "test unresolvable": ('Variable="ApiKey"', 'Variable="Key"', 8, "no parameter is called 'Key'"),
    "version unresolvable": (
        '<Parameter Name="ServiceUrl" Variable="ServiceUrl"/>',
        '<Parameter Name="ServiceUrl" Variable="Url"/>',
        12,
        "no parameter is called 'Url'",
    ),
    "file missing": ('FileName="Holder.xml"', 'FileName="Other.xml"', 14, "there is no file 'Other.xml'"),
    "no procedure": (' ProcedureName="Computer"', "", 14, "Reader has no ProcedureName"),
}


@pytest.mark.parametrize(("old", "new", "line", "expected"), CONFIG_REFUSALS.values(), ids=CONFIG_REFUSALS)
def test_a_configuration_that_cannot_be_trusted_is_refused(
    tmp_path: Path, old: str, new: str, line: int, expected: str
) -> None:
    """Each refusal names readerV3.config and the line."""
    assert old in CONFIG
    folder = make_reader_folder(tmp_path, config=CONFIG.replace(old, new))
    text = refusal(folder)
    assert text.startswith(f"{folder / 'readerV3.config'}:{line}: ")
    assert expected in text


def test_a_file_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    """Its steps would be two of the same identity."""
    config = config_xml({"Holder.xml": "Computer", "HOLDER.XML": "Evidence"})
    folder = make_reader_folder(tmp_path, config=config)
    assert f"{folder / 'readerV3.config'}:14: the file 'HOLDER.XML' is listed twice" in refusal(folder)


OUTSIDE = ["../Evil.ps1", "..\\Evil.ps1", "/etc/hostname", "C:\\Evil.ps1", "C:Evil.ps1", "\\\\host\\s\\x.ps1"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("attribute", ["InitScript Name", "Reader FileName"])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str, attribute: str) -> None:
    """Parent folders, absolute paths, drives and shares lead out, whether the file is there or not."""
    (tmp_path / "Evil.ps1").write_text("evil")
    old = 'InitScript Name="Badges.ps1"' if "Script" in attribute else 'Reader FileName="Holder.xml"'
    folder = make_reader_folder(tmp_path, config=CONFIG.replace(old, f'{attribute}="{name}"'))
    assert f"{name!r} lies outside the folder" in refusal(folder)


@not_on_windows
def test_a_symbolic_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    """The file that would be run counts, not the name that leads to it."""
    folder = make_reader_folder(tmp_path)
    (folder / "Badges.ps1").rename(tmp_path / "Elsewhere.ps1")
    (folder / "Badges.ps1").symlink_to(tmp_path / "Elsewhere.ps1")
    assert f"{folder / 'readerV3.config'}:4: 'Badges.ps1' lies outside the folder" in refusal(folder)


@not_on_windows
def test_a_symbolic_link_that_leads_nowhere_is_a_missing_file(tmp_path: Path) -> None:
    """A link to itself is an error with a name."""
    folder = make_reader_folder(tmp_path)
    (folder / "Badges.ps1").unlink()
    (folder / "Badges.ps1").symlink_to(folder / "Badges.ps1")
    assert "there is no file 'Badges.ps1'" in refusal(folder)


def test_a_folder_with_nothing_to_collect_is_refused(tmp_path: Path) -> None:
    """A package without a table would be an empty result."""
    folder = make_reader_folder(tmp_path, readers={"Holder.xml": readers_xml(target_step("Only"))})
    assert "no PowerShell step to collect" in refusal(folder)


# --- definitions that are no XML we take ---

BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">'
    '<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">]>'
)
SPOILED = {
    "empty": (b"", "is empty"),
    "white space": (b" \r\n\t", "is empty"),
    "only a mark": (b"\xef\xbb\xbf", "is empty"),
    "only a UTF-16 mark": (b"\xff\xfe", "is empty"),
    "NUL bytes": (b"\0" * 4096, "is empty"),
    "cut": (CONFIG.encode()[:-30], NOT_WELL),
    "cut in a tag": (CONFIG.encode()[:200], NOT_WELL),
    "two roots": (CONFIG.encode() + b"<x/>", NOT_WELL),
    "text": (b"hello", NOT_WELL),
    "a program": (b"MZ\x90\0\3\0\0\0", NOT_WELL),
    "JSON": (b'{"a": 1}', NOT_WELL),
    "ANSI without saying so": (CONFIG.replace("API", "Schlüssel").encode("cp1252"), NOT_WELL),
    "UTF-16 without mark": (CONFIG.encode("utf-16-le")[2:], NOT_WELL),
    "says UTF-16, is UTF-8": (CONFIG.replace("utf-8", "utf-16").encode(), NOT_WELL),
    "unknown encoding": (CONFIG.replace("utf-8", "klingon").encode(), NOT_WELL),
    "half a UTF-16 file": (("\ufeff" + CONFIG).encode("utf-16-le")[:301], NOT_WELL),
    "deep": (b"<a>" * 5000 + b"</a>" * 5000, NOT_WELL),
    "a bomb": (f"{BOMB}<x y='&f;&f;&f;&f;&f;&f;'/>".encode(), NOT_WELL),
    "an unknown entity": (CONFIG.replace("API key", "&key;").encode(), NOT_WELL),
    "huge": (b"<x>" + b" " * MOST_BYTES + b"</x>", "is larger than 16 MiB"),
    "a huge attribute": (b'<x y="' + b"z" * (MOST_BYTES - 100) + b'"/>', NOT_WELL),
}


@pytest.mark.parametrize(("content", "expected"), SPOILED.values(), ids=SPOILED)
@pytest.mark.parametrize("file", ["readerV3.config", "Holder.xml"])
def test_a_spoiled_definition_is_refused(tmp_path: Path, content: bytes, expected: str, file: str) -> None:
    """Empty, cut, huge, foreign and wrongly encoded files are named, and nothing of them is used."""
    folder = make_reader_folder(tmp_path)
    (folder / file).write_bytes(content)
    text = refusal(folder)
    assert text.startswith(f"{folder / file}:")
    assert expected in text


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE Readers>",
        '<!DOCTYPE Readers SYSTEM "file:///etc/hostname">',
        '<!DOCTYPE Readers PUBLIC "p" "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE Readers [<!ENTITY a "b">]>',
        '<!DOCTYPE Readers [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE Readers [<!ENTITY % a SYSTEM "file:///etc/hostname"> %a;]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_any_dtd_is_refused_with_its_line(tmp_path: Path, declaration: str, encoding: str) -> None:
    """A DTD or entity declaration is refused whatever it says, used or not."""
    xml = f"<!-- one -->\n<!-- two -->\n{declaration}\n{HOLDER}"
    folder = make_reader_folder(tmp_path, readers={"Holder.xml": xml.encode(encoding)})
    assert f"{folder / 'Holder.xml'}:3: a DTD or entity declaration" in refusal(folder)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """A definition of many gigabytes is refused by its size (the file here has no blocks on the disk)."""
    folder = make_reader_folder(tmp_path)
    with (folder / "Holder.xml").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert "Holder.xml: is larger than 16 MiB" in refusal(folder)


# --- folders that are not there, or not ours ---


def test_a_missing_folder(tmp_path: Path) -> None:
    """The error says how to see what is there."""
    assert f"There is no reader folder {tmp_path / 'Nowhere'}" in refusal(tmp_path / "Nowhere")


@pytest.mark.parametrize("name", ["Microsoft Office 365", "microsoft office 365"])
def test_a_missing_deprecated_folder_may_have_gone_with_an_upgrade(tmp_path: Path, name: str) -> None:
    """The deprecated connector has an explanation of its own, and a way on."""
    with pytest.raises(BeaconError, match="a beacon upgrade may have removed") as caught:
        load(tmp_path / name)
    assert "Microsoft 365" in caught.value.hint


def test_an_sql_adapter_is_not_ours_to_run(tmp_path: Path) -> None:
    """reader.config marks an SQL adapter."""
    (tmp_path / "reader.config").write_text("<Configuration/>")
    assert "it is an SQL adapter" in refusal(tmp_path)


def test_a_folder_without_configuration(tmp_path: Path) -> None:
    """A folder with neither file is named as what it lacks."""
    assert "holds no readerV3.config" in refusal(tmp_path)


# --- overrides ---


def override(tmp_path: Path, **files: str) -> Path:
    """Make an override folder with these reader XML files."""
    folder = tmp_path / "CustomInventory" / "Reader" / "Badge Service"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.xml").write_text(text)
    return folder


def test_an_override_replaces_the_step_of_the_same_file_and_name(tmp_path: Path) -> None:
    """The other steps stay, the replaced one keeps its place among equals and says whose it is."""
    own = readers_xml(source_step(method="ListMore", table="#Own"))
    place = override(tmp_path, Holder=own)
    base = readers_xml(source_step("A"), source_step(), source_step("B"))
    found = load(make_reader_folder(tmp_path, readers={"Holder.xml": base}), place)
    assert [(step.name, step.method, step.overridden_by) for step in found.steps] == [
        ("A", "ListHolders", None),
        ("LoadHolder", "ListMore", place / "Holder.xml"),
        ("B", "ListHolders", None),
    ]
    assert found.warnings == ()


def test_an_override_may_differ_in_case(tmp_path: Path) -> None:
    """Windows finds the override whatever the case of its folder and file."""
    place = override(tmp_path, HOLDER=readers_xml(source_step(table="#Own")))
    found = load(make_reader_folder(tmp_path), place.with_name("badge service"))
    assert found.to_collect[0].table == "#Own"


def test_an_override_of_another_file_does_not_replace(tmp_path: Path) -> None:
    """The same step name in another file is another step."""
    place = override(tmp_path, B=readers_xml(source_step(table="#Own")))
    files = {"A.xml": readers_xml(source_step()), "B.xml": readers_xml(source_step())}
    found = load(make_reader_folder(tmp_path, readers=files), place)
    assert [(step.file, step.table) for step in found.steps] == [("A.xml", "#Holder"), ("B.xml", "#Own")]


def test_a_step_that_overrides_nothing_is_added_with_a_warning(tmp_path: Path) -> None:
    """The warning names the file and the step."""
    place = override(tmp_path, Holder=readers_xml(source_step("Another", 50)))
    found = load(make_reader_folder(tmp_path), place)
    assert [step.name for step in found.steps] == ["Another", "PrepareHolder", "LoadHolder"]
    assert found.warnings == (f"{place / 'Holder.xml'} overrides no step: 'Another' is added.",)


def test_an_override_that_moves_its_step_is_said(tmp_path: Path) -> None:
    """An override keeps the Order of what it replaces; one that does not has a reason, or is a slip."""
    place = override(tmp_path, Holder=readers_xml(source_step(order=50)))
    found = load(make_reader_folder(tmp_path), place)
    assert [step.name for step in found.steps] == ["LoadHolder", "PrepareHolder"]
    assert found.warnings == (f"{place / 'Holder.xml'} moves 'LoadHolder' from Order 110 to 50.",)


def test_an_override_file_without_counterpart_is_said(tmp_path: Path) -> None:
    """A file that no configuration lists has no effect, and that is not passed over."""
    place = override(tmp_path, Other=readers_xml(source_step()))
    found = load(make_reader_folder(tmp_path), place)
    assert len(found.steps) == 2
    assert found.warnings == (
        f"{place / 'Other.xml'} overrides no reader XML of the folder and has no effect.",
    )


def test_a_broken_override_is_refused_with_its_own_name(tmp_path: Path) -> None:
    """The complaint is about the override and not about the folder."""
    place = override(tmp_path, Holder=readers_xml(source_step(table="")))
    with pytest.raises(BeaconError, match=r"CustomInventory.*Holder\.xml:2: Reader has no Table"):
        load(make_reader_folder(tmp_path), place)


# --- hashes ---


def test_every_file_is_hashed_overrides_too(tmp_path: Path) -> None:
    """Names are relative, with forward slashes; the reader's one hash depends on each."""
    folder = make_reader_folder(tmp_path)
    (folder / "deep").mkdir()
    (folder / "deep" / "note.txt").write_bytes(b"abc")
    found = load(folder, override(tmp_path, Holder=HOLDER))
    assert sorted(found.hashes) == [
        *("Badges.ps1", "Holder.xml", "deep/note.txt", "override:Holder.xml", "readerV3.config")
    ]
    # SHA-256 of "abc", FIPS 180-2 appendix B.1
    assert found.hashes["deep/note.txt"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def spoil_script(folder: Path, place: Path) -> None:
    """Change a file of the folder."""
    (folder / "Badges.ps1").write_bytes((folder / "Badges.ps1").read_bytes() + b" ")


def add_file(folder: Path, place: Path) -> None:
    """Add a file to the folder."""
    (folder / "new.txt").touch()


def remove_file(folder: Path, place: Path) -> None:
    """Remove a file from the folder."""
    (folder / "Holder.xml").unlink()


def spoil_override(folder: Path, place: Path) -> None:
    """Change a file of the override tree."""
    (place / "Holder.xml").write_text("<x/>")


def remove_folder(folder: Path, place: Path) -> None:
    """Move the whole folder away."""
    folder.rename(folder.with_name("gone"))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (spoil_script, ("Badges.ps1",)),
        (add_file, ("new.txt",)),
        (remove_file, ("Holder.xml",)),
        (spoil_override, ("override:Holder.xml",)),
        (remove_folder, ("Badges.ps1", "Holder.xml", "readerV3.config")),
    ],
)
def test_a_change_after_loading_is_seen(tmp_path: Path, change: object, names: tuple[str, ...]) -> None:
    """A changed, added or removed file differs from what was loaded; without a change nothing does."""
    assert callable(change)
    place = override(tmp_path, Holder=HOLDER)
    folder = make_reader_folder(tmp_path)
    found = load(folder, place)
    assert reader_folder.changed(found) == ()
    change(folder, place)
    assert reader_folder.changed(found) == names


def test_an_override_that_appears_after_loading_is_seen(tmp_path: Path) -> None:
    """An override tree made during a run would have changed it."""
    folder = make_reader_folder(tmp_path)
    found = load(folder, tmp_path / "CustomInventory" / "Reader" / "Badge Service")
    override(tmp_path, Holder=HOLDER)
    assert reader_folder.changed(found) == ("override:Holder.xml",)


# --- many folders ---


def test_a_survey_has_a_reason_for_a_broken_folder_and_leaves_sql_out(tmp_path: Path) -> None:
    """One broken folder does not hide the others."""
    good = make_reader_folder(tmp_path, "Good")
    bad = make_reader_folder(tmp_path, "Bad", config=b"")
    sql = tmp_path / "Sql"
    sql.mkdir()
    (sql / "Reader.config").write_text("<Configuration/>")
    found = reader_folder.survey((bad, good, sql), Owner.BEACON, None)
    assert [(one.name, type(one.reader)) for one in found] == [("Bad", BeaconError), ("Good", Reader)]


def test_our_own_folders_can_be_read_without_warnings() -> None:
    """What we ship obeys what we ask of others."""
    from bridge import beacon

    found = reader_folder.survey(beacon.folders(beacon.shipped_readers()), Owner.BRIDGE, None)
    assert found
    for one in found:
        assert isinstance(one.reader, Reader)
        assert one.reader.warnings == ()


def test_the_building_blocks_are_what_the_example_is_made_of() -> None:
    """The parts that these tests change are in the example they start from."""
    for part in (PARAMETERS, TEST_CONNECTION, VERSION_CHECK):
        assert part in CONFIG
    for part in (INPUTS, COLUMNS):
        assert part in HOLDER
