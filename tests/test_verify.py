"""Verification believes nothing: what it refuses, and what it reports."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import pipeline
from bridge.errors import PackageError
from bridge.model import Package
from bridge.package.verify import verify
from bridge.package.write import LEVEL
from tests.engines import contoso, silent, workplace
from tests.packages import package

Entries = dict[str, bytes]


def read(path: Path) -> Entries:
    """Return a package's entries by name."""
    with zipfile.ZipFile(path) as found:
        return {name: found.read(name) for name in found.namelist()}


def rebuild(path: Path, entries: list[tuple[str, bytes]]) -> Path:
    """Write entries as our writer would."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as made:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, content)
    return path


def refused(path: Path, why: str) -> None:
    """Assert that a package is refused, and for that reason."""
    with pytest.raises(PackageError, match=why):
        verify(path)


def test_a_package_verifies(tmp_path: Path) -> None:
    """What was written reads back as what it says."""
    found = verify(package(tmp_path))
    assert (found.manifest.connection, len(found.manifest.tables), len(found.identity)) == ("Contoso", 2, 64)


def test_the_rebuilt_package_verifies(tmp_path: Path) -> None:
    """The other tests spoil a package that would be accepted without the one change."""
    assert verify(rebuild(tmp_path / "y.zip", list(read(package(tmp_path)).items())))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("data/003.xml", "does not list"),
        ("readme.txt", "does not list"),
        ("data/", "does not list"),
        ("/data/001.xml", "leads out"),
        ("../data/001.xml", "leads out"),
        ("data/../../x", "leads out"),
        ("data\\001.xml", "leads out"),
        ("C:/x.xml", "leads out"),
        ("data/001.xml\0.txt", "does not list"),
        ("DATA/001.XML", "does not list"),
    ],
)
def test_a_foreign_entry_is_refused(tmp_path: Path, name: str, why: str) -> None:
    """Names that the manifest does not list, or that lead out of the ZIP, are refused."""
    entries = [*read(package(tmp_path)).items(), ("NAME", b"x")]
    path = rebuild(tmp_path / "y.zip", entries)
    if "\0" in name or "\\" in name:  # zipfile itself would not write it
        placeholder = "N" * len(name)
        rebuild(path, [*entries[:-1], (placeholder, b"x")])
        path.write_bytes(path.read_bytes().replace(placeholder.encode(), name.encode()))
    else:
        rebuild(path, [*entries[:-1], (name, b"x")])
    refused(path, why)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    """Two entries of one name could be read differently by different readers."""
    entries = list(read(package(tmp_path)).items())
    refused(rebuild(tmp_path / "y.zip", [*entries, entries[1]]), "twice")


@pytest.mark.parametrize("missing", ["version.xml", "manifest.xml", "data/001.xml"])
def test_a_missing_entry_is_refused(tmp_path: Path, missing: str) -> None:
    """Every entry of the layout is there."""
    entries = read(package(tmp_path))
    del entries[missing]
    refused(rebuild(tmp_path / "y.zip", list(entries.items())), f"holds no {missing}")


Change = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("entry", "change", "why"),
    [
        ("data/001.xml", lambda c: c.replace(b"user1@", b"user2@"), "does not have the SHA-256"),
        ("data/001.xml", lambda c: c.replace(b'a="1"', b'a="x"'), "expected int"),
        ("data/001.xml", lambda c: c.replace(b'a="1"', b'a="01"'), "expected int"),
        ("data/001.xml", lambda c: c.replace(b'<r a="1"', b'<r  a="1"'), "not in the form"),
        ("data/001.xml", lambda c: c + b" ", "bytes follow its end"),
        ("data/001.xml", lambda c: c[:-5], "bytes follow its end"),
        ("data/001.xml", lambda c: c.replace(b"<r ", b"<!DOCTYPE x><r ", 1), "data entry|row|well-formed"),
        ("manifest.xml", lambda c: c.replace(b'rows="3"', b'rows="4"', 1), "its rows is 3"),
        ("manifest.xml", lambda c: c.replace(b"data/002", b"data/001"), "lists one entry twice"),
        ("manifest.xml", lambda c: c.replace(b'type="int"', b'type="bigint"', 1), "its columns is"),
        ("manifest.xml", lambda c: c.replace(b"complete", b"failed"), "not a bridge-1 manifest"),
        (
            "manifest.xml",
            lambda c: c.replace(b'outcome="complete"', b'outcome="complete-with-gaps"'),
            "0 gaps",
        ),
        (
            "manifest.xml",
            lambda c: c.replace(b"\n<table", b'\n<check name="a" level="refused" text="b"/>\n<table', 1),
            "not a bridge-1 manifest",
        ),
        ("manifest.xml", lambda c: c.replace(b"\n<table", b"\n\n<table", 1), "not in the form"),
        ("manifest.xml", lambda c: b'<!DOCTYPE m [<!ENTITY e "x">]>' + c[39:], "not in the form"),
        ("manifest.xml", lambda c: b"\xff" + c, "not a bridge-1 manifest"),
        ("version.xml", lambda c: c.replace(b"bridge-1", b"bridge-2"), "not the version information"),
        ("version.xml", lambda c: c + b"<x/>", "not the version information"),
    ],
)
def test_a_changed_entry_is_refused(tmp_path: Path, entry: str, change: Change, why: str) -> None:
    """Counts, hashes, columns, rows and forms are all looked at again, though the ZIP itself is sound."""
    entries = read(package(tmp_path))
    changed = change(entries[entry])
    assert changed != entries[entry]
    refused(rebuild(tmp_path / "y.zip", list({**entries, entry: changed}.items())), why)


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    """An entry that claims to unpack to more than deflate can pack is refused before it is unpacked."""
    path = package(tmp_path)
    content = bytearray(path.read_bytes())
    place = content.rfind(b"PK\1\2")
    struct.pack_into("<I", content, place + 24, 2**31 - 1)
    path.write_bytes(content)
    refused(path, "which cannot be")


def test_a_manifest_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    """The manifest is held in memory, so its size is bounded; data entries are streamed."""
    entries = read(package(tmp_path))
    entries["manifest.xml"] += b" " * (65 * 1024 * 1024)
    refused(rebuild(tmp_path / "y.zip", list(entries.items())), "larger than")


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    """A flag that we never write is not guessed at."""
    path = package(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    refused(path, "encrypted")


def test_a_stored_entry_is_refused(tmp_path: Path) -> None:
    """We write deflate only."""
    entries = read(package(tmp_path))
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as made:
        for name, content in entries.items():
            made.writestr(zipfile.ZipInfo(name), content)
    refused(tmp_path / "y.zip", "packed in a way")


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    """Two directory lines that share one entry's bytes are no two entries."""
    path = package(tmp_path)
    content = bytearray(path.read_bytes())
    second = content.find(b"PK\1\2", content.find(b"PK\1\2") + 1)
    third = content.find(b"PK\1\2", second + 1)
    content[third + 42 : third + 46] = content[second + 42 : second + 46]
    path.write_bytes(content)
    refused(path, "overlap|Overlapped|differ")


def test_bytes_between_entries_are_refused(tmp_path: Path) -> None:
    """Nothing hides in a package: the entries fill the file up to its directory."""
    path = tmp_path / "y.zip"
    entries = list(read(package(tmp_path)).items())
    with path.open("wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, content)
            if name == "data/001.xml":
                file.write(b"hidden")
                made.start_dir = file.tell()
    refused(path, "bytes lie between")


@pytest.mark.parametrize(
    "garbage", [b"x", b"PK\5\6", b"\0" * 22, b"MZ" * 40], ids=["x", "sign", "zeros", "program"]
)
def test_garbage_around_a_package_is_refused(tmp_path: Path, garbage: bytes) -> None:
    """Neither a program in front nor a comment behind belongs to a package."""
    path = package(tmp_path)
    content = path.read_bytes()
    path.write_bytes(garbage + content)
    refused(path, "damaged|overlap|bytes lie")
    path.write_bytes(content + garbage)
    refused(path, "does not end|damaged")


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"PK\5\6" + b"\0" * 18])
def test_what_is_no_package_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty, cut or foreign file is named as what it is not."""
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    refused(path, "x.zip|holds no")


def test_a_package_that_is_not_there(tmp_path: Path) -> None:
    """A wrong path is an error of its own."""
    refused(tmp_path / "x.zip", "There is no package")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_package_cut_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """No beginning of a package is a package."""
    path = package(tmp_path_factory.mktemp("cut"), steps=1)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(PackageError):
        verify(path)


def seen(path: Path) -> Package | None:
    """Return what verify reports, None if it refuses."""
    try:
        return verify(path)
    except PackageError:
        return None


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_after_any_one_byte_change(tmp_path: Path, flip: int) -> None:
    """Each byte of a package, changed: verify refuses, or reports the same manifest and rows."""
    path = package(tmp_path, rows=[("1", "a@b"), ("2", None)], steps=1)
    content = path.read_bytes()
    sound, accepted = verify(path), 0
    for place in range(len(content)):
        spoilt = bytearray(content)
        spoilt[place] ^= flip
        path.write_bytes(spoilt)
        if found := seen(path):
            accepted += 1
            assert (found.manifest, found.identity) == (sound.manifest, sound.identity), place
            assert found.sha256 != sound.sha256
    assert 0 < accepted < len(content) // 4  # dates, versions and rights in headers, which tell no row


def test_verify_run_refuses_any_one_byte_change(tmp_path: Path) -> None:
    """The run's record knows the file's hash, so even a byte that no reader looks at is noticed."""
    place = workplace(tmp_path)
    run = pipeline.run(place, contoso(place), silent)
    path = place.runs.package(run) or tmp_path
    content = path.read_bytes()
    assert pipeline.verify_run(place, run).identity
    for number in range(len(content)):
        spoilt = bytearray(content)
        spoilt[number] ^= 0x01
        path.write_bytes(spoilt)
        with pytest.raises(PackageError, match="has changed since it was sealed"):
            pipeline.verify_run(place, run)
