"""Verification of a package, which believes nothing the package says."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from hashlib import file_digest, sha256
from io import SEEK_END, RawIOBase
from itertools import accumulate
from pathlib import Path
from typing import IO

from bridge.convert.rows import check_entry
from bridge.errors import PackageError, ReaderOutputError
from bridge.model import Manifest, Package, State, TableLine
from bridge.package.layout import BRIDGE_1, Layout
from bridge.package.manifest import MOST_BYTES, from_xml, program_of, to_xml
from bridge.package.write import Source, TooLong, entry_sha256

# deflate cannot shrink more than 1,032 times; what claims to is no deflate stream of ours
_MOST_SHRUNK = 1100
_END, _END_BYTES = b"PK\5\6", 22  # the end of a ZIP without a comment
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
    if not path.is_file():
        raise PackageError(f"There is no package {path}.", hint="Check its path.")
    try:
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
            _refuse_appended(file)
            with zipfile.ZipFile(file) as package:
                manifest = _verify_entries(package, _entries(package, file), layout)
    except _DAMAGED as error:
        raise PackageError(f"{path.name} is damaged, or no package: {error}.") from error
    except (PackageError, ReaderOutputError) as error:
        raise PackageError(f"{path.name}: {error}") from error
    identity = sha256(to_xml(manifest, layout)).hexdigest()
    return Package(path, manifest, identity, digest, path.stat().st_size)


def _refuse_appended(file: IO[bytes]) -> None:
    """Refuse a file that does not end where its ZIP ends; zipfile would look for an end further up."""
    file.seek(0, SEEK_END)
    file.seek(max(0, file.tell() - _END_BYTES))
    if file.read(4) != _END:
        raise PackageError("It does not end as a package ends: it is cut short, or bytes follow its end.")


def _verify_entries(
    package: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], layout: Layout
) -> Manifest:
    program_of(_small(package, entries, layout.version), layout)
    manifest = from_xml(_small(package, entries, layout.manifest), layout)
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


def _entries(package: zipfile.ZipFile, file: IO[bytes]) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by name; refuse names that repeat or lead out, and sizes that cannot be.

    The entries must fill the file from its beginning to its directory: nothing hides before, between or
    below them.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in package.infolist():
        name = info.orig_filename
        if name in entries:
            raise PackageError(f"The package holds {name!r} twice.")
        if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
            raise PackageError(f"The package holds {name!r}, a name that leads out of it.")
        if info.flag_bits or info.compress_type != zipfile.ZIP_DEFLATED:
            raise PackageError(f"{name} is encrypted or packed in a way that beacon-bridge does not write.")
        if info.file_size > info.compress_size * _MOST_SHRUNK + 1024:
            raise PackageError(f"{name} claims to unpack to {info.file_size} bytes, which cannot be.")
        entries[name] = info
    lengths = [_length(file, info) for info in entries.values()]
    starts = [info.header_offset for info in entries.values()]
    if starts != [0, *accumulate(lengths)][:-1] or sum(lengths) != package.start_dir:
        raise PackageError("The entries of the package overlap, or bytes lie between them.")
    return entries


def _length(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Return how many bytes an entry takes with its local header."""
    file.seek(info.header_offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))
    return int(30 + name + extra + info.compress_size)


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
