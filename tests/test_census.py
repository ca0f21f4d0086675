"""The census of a reader folder: its shape and counts, and nothing of what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import BeaconError
from bridge.readers import census
from bridge.readers.census import FileCensus
from bridge.show import catalogue, screen
from tests.folders import (
    COLUMNS,
    SCRIPT,
    config_xml,
    make_reader_folder,
    readers_xml,
    source_step,
    target_step,
)

# Each is a value that nobody may see, in a form that passes through XML unchanged.
CANARY = "Canary-7Q"


def take(folder: Path) -> dict[str, FileCensus]:
    """Return the census by file name."""
    return {one.name: one for one in census.take(folder)}


def shown(folder: Path) -> str:
    """Return everything that a census prints, for people and for scripts."""
    files = census.take(folder)
    return screen.as_json(catalogue.census_json(files)) + "\n".join(map(str, catalogue.census_lines(files)))


def test_a_census_counts_elements_attributes_and_types(tmp_path: Path) -> None:
    """Elements below their parents, attributes by name, types by value; a script by its lines."""
    found = take(make_reader_folder(tmp_path))
    assert list(found) == ["Badges.ps1", "Holder.xml", "readerV3.config"]
    assert found["Badges.ps1"].counts == {"lines": SCRIPT.count("\n")}
    holder = found["Holder.xml"].counts
    assert holder["<Readers/Reader>"] == 2
    assert holder["<Reader Order>"] == 2
    assert holder["<Reader xsi:type=ExecuteOnTarget>"] == 1
    assert holder["<Reader> with text"] == 1
    assert holder["<OutputSchema Type=nvarchar>"] == 1
    config = found["readerV3.config"].counts
    assert config["<Parameter Type=password>"] == 1
    assert config["<VersionCheck/Parameter>"] == 1
    assert config["<Reader ProcedureName=Computer>"] == 1


@pytest.mark.parametrize(
    ("first", "head"),
    [
        (b"\xef\xbb\xbf<a/>", "UTF-8 mark"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "UTF-8 mark, declaration"),
        (b"<?xml version='1.0'?><a/>", "declaration"),
        (b"<a/>", ""),
        ("\ufeff<?xml version='1.0'?><a/>".encode("utf-16-le"), "UTF-16 mark, declaration"),
    ],
)
def test_a_census_tells_how_a_file_begins(tmp_path: Path, first: bytes, head: str) -> None:
    """Byte order mark and declaration are facts about the vendor's files worth knowing."""
    (tmp_path / "a.xml").write_bytes(first)
    assert take(tmp_path)["a.xml"].head == head


def test_an_unknown_type_is_shown_when_it_looks_like_one(tmp_path: Path) -> None:
    """The type of a parameter or a step that we do not know is what a census is asked for."""
    config = config_xml({"A.xml": "Computer"}).replace('Type="text"', 'Type="choice"')
    xml = readers_xml(source_step(columns=COLUMNS.replace('"int"', '"decimal(18,2)"')))
    folder = make_reader_folder(tmp_path, readers={"A.xml": xml}, config=config)
    assert "<Parameter Type=choice>" in shown(folder)
    assert "<OutputSchema Type=decimal(18,2)>" in shown(folder)


def hostile(tmp_path: Path) -> Path:
    """Build a folder that holds the canary wherever a file can hold anything."""
    first = "Name DisplayText Type IsMandatory Language Version File Method Variable FileName"
    attributes = f"{first} ProcedureName Order Retries VersionFrom Table Length Property Odd".split(" ")
    every = " ".join(f'{name}="{CANARY}"' for name in attributes)
    xml = (
        f'<Readers xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:c="urn:{CANARY}" {every}>'
        f"<!-- {CANARY} --><?{CANARY} {CANARY}?>{CANARY}"
        f'<Reader xsi:type="{CANARY}" xsi:other="{CANARY}" c:Odd="{CANARY}" {every}>'
        f"<![CDATA[{CANARY}]]></Reader><c:Reader/><{CANARY}/><Reader {CANARY}='1'/></Readers>"
    )
    folder = make_reader_folder(
        tmp_path, script=f"# {CANARY}\n", readers={"A.xml": xml}, config=f"<x {every}>{CANARY}</x>"
    )
    (folder / f"{CANARY}.txt").write_text(CANARY)
    (folder / f"{CANARY}!.xml").write_text(f"<a>{CANARY}</a>")
    return folder


def test_no_value_leaks(tmp_path: Path) -> None:
    """Values, texts, comments, namespaces, scripts and names that look like none stay where they are."""
    text = shown(hostile(tmp_path))
    assert CANARY not in text
    assert "<Reader xsi:type=(not shown)>" in text
    assert "<Readers/(not shown)>" in text
    assert "<Reader (not shown)>" in text
    assert "(not shown)" in take(tmp_path / "Badge Service")


@pytest.mark.parametrize(
    "content",
    [
        f"<a>{CANARY}</{CANARY}>",
        f"<{CANARY}",
        f"<a>&{CANARY};</a>",
        f"<!DOCTYPE {CANARY} [<!ENTITY a '{CANARY}'>]><a/>",
        f'<?xml version="1.0" encoding="{CANARY}"?><a/>',
        f"{CANARY}",
        "",
    ],
)
def test_a_broken_file_leaks_nothing_either(tmp_path: Path, content: str) -> None:
    """What the parser says of a broken file may quote it, so only our own words and the line are shown."""
    folder = make_reader_folder(tmp_path, config=content)
    assert CANARY not in shown(folder)
    found = take(folder)
    assert found["readerV3.config"].error
    assert found["readerV3.config"].counts == {}
    assert found["Holder.xml"].counts


def test_long_names_are_no_names(tmp_path: Path) -> None:
    """A name of more than 32 characters, or one outside ASCII, is not shown."""
    folder = make_reader_folder(tmp_path, config=f"<x><{'y' * 33}/><Größe/><Fine_1/></x>")
    assert list(take(folder)["readerV3.config"].counts) == ["<x>", "<x/(not shown)>", "<x/Fine_1>"]


def test_a_file_of_many_names_is_cut_short(tmp_path: Path) -> None:
    """A census stays small whatever the file; what is left out is counted."""
    names = "".join(f"<n{number}/>" for number in range(2000))
    folder = make_reader_folder(tmp_path, config=f"<x>{names}</x>")
    counts = take(folder)["readerV3.config"].counts
    assert len(counts) == 501
    assert sum(counts.values()) == 2001
    assert counts["others"] == 1501


def test_a_step_of_the_server_is_counted_without_its_sql(tmp_path: Path) -> None:
    """T-SQL is script text."""
    folder = make_reader_folder(tmp_path, readers={"A.xml": readers_xml(target_step("T"), source_step())})
    assert "CREATE" not in shown(folder)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """No census is not an empty census."""
    with pytest.raises(BeaconError, match="There is no reader folder"):
        census.take(tmp_path / "Nowhere")
