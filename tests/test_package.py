"""Packages: what is written, byte for byte."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import replace
from hashlib import sha256
from importlib import resources
from pathlib import Path

import pytest
from lxml import etree

from bridge.errors import PackageError, ReaderOutputError
from bridge.model import Column, Gap, State, TableLine
from bridge.package.layout import BRIDGE_1
from bridge.package.manifest import from_xml, to_xml
from bridge.package.verify import compare, verify
from bridge.package.write import write
from tests.packages import DRAFT, package, sources


def test_two_writes_give_the_same_bytes(tmp_path: Path) -> None:
    """The same captures make the same ZIP, wherever and whenever it is written."""
    captures = sources(tmp_path)
    write(tmp_path / "a.zip", DRAFT, captures, "refuse")
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "b.zip", DRAFT, captures, "refuse")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "elsewhere" / "b.zip").read_bytes()


def test_the_data_does_not_tell_when_it_was_captured(tmp_path: Path) -> None:
    """Captures of other moments with the same rows give the same entries and the same manifest."""
    captures = sources(tmp_path)
    first = write(tmp_path / "a.zip", DRAFT, captures, "refuse")
    for source in captures:
        later = (
            source.path.read_bytes().replace(b' start="20', b' start="19').replace(b' end="20', b' end="19')
        )
        assert later != source.path.read_bytes()
        source.path.write_bytes(later)
    assert write(tmp_path / "b.zip", DRAFT, captures, "refuse") == first
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_entries_carry_no_trace_of_the_machine(tmp_path: Path) -> None:
    """Date 1980-01-01, create_system 0, deflate; version, numbered data, manifest, in that order."""
    with zipfile.ZipFile(package(tmp_path)) as found:
        entries = found.infolist()
    assert [one.filename for one in entries] == [
        "version.xml",
        "data/001.xml",
        "data/002.xml",
        "manifest.xml",
    ]
    for one in entries:
        assert (one.date_time, one.create_system, one.compress_type, one.comment, one.flag_bits) == (
            (1980, 1, 1, 0, 0, 0),
            0,
            zipfile.ZIP_DEFLATED,
            b"",
            0,
        )


def test_data_entries_have_zip64_forms(tmp_path: Path) -> None:
    """A data entry's local header has the ZIP64 field whatever its size, so size changes no form."""
    path = package(tmp_path)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as found:
        places = {one.filename: one.header_offset for one in found.infolist()}
    for name, place in places.items():
        length, extra = struct.unpack_from("<HH", content, place + 26)
        tag = content[place + 30 + length : place + 34 + length]
        assert (extra, tag) == ((20, b"\1\0\x10\0") if name.startswith("data/") else (0, tag))


def test_the_manifest_is_what_its_schema_says(tmp_path: Path) -> None:
    """The shipped XSD accepts the manifest that is written."""
    schema = resources.files("bridge.importprocedures") / "schemas" / "manifest.xsd"
    with zipfile.ZipFile(package(tmp_path)) as found:
        manifest = found.read("manifest.xml")
    assert etree.XMLSchema(etree.fromstring(schema.read_bytes())).validate(etree.fromstring(manifest))


def test_the_identity_is_the_hash_of_the_manifest(tmp_path: Path) -> None:
    """Two packages are the same package if their manifests are."""
    path = package(tmp_path)
    with zipfile.ZipFile(path) as found:
        assert verify(path).identity == sha256(found.read("manifest.xml")).hexdigest()


def test_a_manifest_line_counts_and_hashes_its_entry(tmp_path: Path) -> None:
    """Each table has its rows, its columns and the SHA-256 of its entry."""
    path = package(tmp_path)
    lines = verify(path).manifest.tables
    with zipfile.ZipFile(path) as found:
        for line in lines:
            content = found.read(line.entry)
            assert line.sha256 == sha256(content).hexdigest()
            assert line.rows == content.count(b"<r ") == 3
    assert [column.name for column in lines[0].columns] == ["HolderID", "Mail"]


@pytest.mark.parametrize("text", ["<&\"'>\t\r\n", "\x00\x1f\ufffe\ud800", "_x0041_", "Zoë 東京 😀"])
def test_a_manifest_keeps_every_text(text: str) -> None:
    """Whatever a name or a gap holds comes back from the XML exactly."""
    line = TableLine("data/001.xml", text, text, text, (Column(text, "int", text),), 0, "0" * 64)
    manifest = replace(
        DRAFT,
        tenant=text,
        outcome=State.COMPLETE_WITH_GAPS,
        gaps=(Gap("warning", text, 2),),
        tables=(line,),
    )
    assert from_xml(to_xml(manifest, BRIDGE_1), BRIDGE_1) == manifest


def test_a_package_with_gaps_says_so(tmp_path: Path) -> None:
    """Gaps of the captures are in the manifest, and the outcome follows from them."""
    found = write(tmp_path / "x.zip", DRAFT, sources(tmp_path, gaps=[Gap("warning", "w")], steps=1), "refuse")
    assert (found.outcome, found.gaps) == (State.COMPLETE_WITH_GAPS, (Gap("warning", "w"),))
    assert verify(tmp_path / "x.zip").manifest == found


def test_a_table_without_rows_is_a_table(tmp_path: Path) -> None:
    """A step that found nothing has its entry, with zero rows."""
    assert [line.rows for line in verify(package(tmp_path, rows=[])).manifest.tables] == [0, 0]


def test_captures_that_differ_are_noticed(tmp_path: Path) -> None:
    """compare() tells that a package is not what its captures give."""
    captures = sources(tmp_path)
    manifest = write(tmp_path / "x.zip", DRAFT, captures, "refuse")
    compare(manifest, captures, "refuse")
    other = captures[1].path
    other.write_bytes(other.read_bytes().replace(b"user1@", b"user7@"))
    with pytest.raises(PackageError, match=r"data/002.xml is not what the capture 002.xml gives"):
        compare(manifest, captures, "refuse")
    with pytest.raises(PackageError, match="not those of the captures"):
        compare(manifest, captures[:1], "refuse")


@pytest.mark.parametrize("cut", [1, 30, 300])
def test_a_capture_that_is_cut_makes_no_package(tmp_path: Path, cut: int) -> None:
    """A capture without its whole trailer is refused."""
    captures = sources(tmp_path, steps=1)
    captures[0].path.write_bytes(captures[0].path.read_bytes()[:-cut])
    with pytest.raises(ReaderOutputError):
        write(tmp_path / "x.zip", DRAFT, captures, "refuse")
