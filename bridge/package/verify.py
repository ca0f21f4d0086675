"""Verification of a package, which believes nothing the package says."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from hashlib import file_digest, sha256
from io import RawIOBase
from pathlib import Path
from typing import IO

from bridge.convert.rows import check_entry
from bridge.errors import PackageError, ReaderOutputError
from bridge.model import Manifest, Package, State, TableLine
from bridge.package.layout import BRIDGE_1, Layout
from bridge.package.manifest import MOST_BYTES, from_xml, to_xml
from bridge.package.write import Source, TooLong, entry_sha256

# deflate cannot shrink more than 1,032 times; what claims to is no deflate stream of ours
_MOST_SHRUNK = 1100
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression method, or a flag, that we never write
    RuntimeError,  # an entry that says it is encrypted
    ValueError,
    struct.error,
    OSError,
    OverflowError,
)


def verify(path: Path, layout: Layout = BRIDGE_1) -> Package:
    """Read the whole package again and return what it is, or raise PackageError that says what is wrong.

    Checked: the ZIP's structure and entry names, the manifest against its schema and canonical form, each
    entry's SHA-256, each row against its columns, each count.
    """
    try:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
            with zipfile.ZipFile(file) as package:
                manifest = _verify_entries(package, layout, path.stat().st_size)
    except _DAMAGED as error:
        raise PackageError(f"{path.name} is damaged, or no package: {error}.") from error
    except ReaderOutputError as error:
        raise PackageError(f"{path.name}: {error}") from error
    identity = sha256(to_xml(manifest, layout)).hexdigest()
    return Package(path, manifest, identity, digest, path.stat().st_size)


def _verify_entries(package: zipfile.ZipFile, layout: Layout, size: int) -> Manifest:
    entries = _entries(package, size)
    manifest = from_xml(_small(package, entries, layout.manifest), layout)
    _small(package, entries, layout.version)
    expected = {layout.version, layout.manifest, *(line.entry for line in manifest.tables)}
    if len(expected) != len(manifest.tables) + 2:
        raise PackageError("The manifest lists one entry twice.")
    if foreign := entries.keys() - expected:
        raise PackageError(f"The package holds entries that its manifest does not list: {sorted(foreign)}.")
    if bool(manifest.gaps) != (manifest.outcome is State.COMPLETE_WITH_GAPS):
        raise PackageError(f"The manifest says {manifest.outcome} and lists {len(manifest.gaps)} gaps.")
    for number, line in enumerate(manifest.tables, start=1):
        if line.entry != layout.entry(number):
            raise PackageError(f"Table {number} of the manifest is {line.entry}, not {layout.entry(number)}.")
        _verify_table(package, entries, line)
    return manifest


def _entries(package: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by name; refuse names that repeat or lead out, and sizes that cannot be."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in package.infolist():
        name = info.orig_filename
        if name in entries:
            raise PackageError(f"The package holds {name!r} twice.")
        if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
            raise PackageError(f"The package holds {name!r}, a name that leads out of it.")
        if info.file_size > info.compress_size * _MOST_SHRUNK + 1024:
            raise PackageError(f"{name} claims to unpack to {info.file_size} bytes, which cannot be.")
        entries[name] = info
    if sum(info.compress_size for info in entries.values()) > size:
        raise PackageError("The entries of the package overlap.")
    return entries


def _small(package: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    if name not in entries:
        raise PackageError(f"The package holds no {name}.")
    if entries[name].file_size > MOST_BYTES:
        raise PackageError(f"{name} is larger than {MOST_BYTES} bytes.")
    return package.read(entries[name])


class _Hashed(RawIOBase):
    """A readable stream that hashes what is read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.digest = sha256()
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.digest.update(content)
        return content


def _verify_table(package: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], line: TableLine) -> None:
    if line.entry not in entries:
        raise PackageError(f"The package holds no {line.entry}, which its manifest lists.")
    with package.open(entries[line.entry]) as file:
        stream = _Hashed(file)
        found = check_entry(stream)
    if stream.digest.hexdigest() != line.sha256:
        raise PackageError(f"{line.entry} does not have the SHA-256 that the manifest lists.")
    for name in ("step", "procedure", "table", "columns", "rows"):
        if getattr(found, name) != getattr(line, name):
            raise PackageError(
                f"{line.entry}: its {name} is {getattr(found, name)!r}, "
                f"the manifest says {getattr(line, name)!r}."
            )


def compare(manifest: Manifest, sources: Sequence[Source], too_long: TooLong) -> None:
    """Raise PackageError unless the package's tables are what the captures give."""
    steps = [source.step.id for source in sources]
    if steps != [line.step for line in manifest.tables]:
        raise PackageError(f"The package's tables are not those of the captures: {', '.join(steps)}.")
    for line, source in zip(manifest.tables, sources, strict=True):
        if entry_sha256(source, too_long) != line.sha256:
            raise PackageError(f"{line.entry} is not what the capture {source.path.name} gives.")
