"""Writing a package: captures in, one ZIP file out, whole or an error."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Literal, Protocol

from bridge import __version__, system
from bridge.convert.rows import ENTRY_TAIL, copy_rows, entry_head
from bridge.errors import PackageError
from bridge.model import Check, Gap, Manifest, State, Step, TableLine
from bridge.package.layout import BRIDGE_1, Layout
from bridge.package.manifest import to_xml, version_xml

TooLong = Literal["refuse", "cut"]
LEVEL = 6  # of deflate


@dataclass(frozen=True, slots=True)
class Source:
    """One step and the file that holds its reader XML output."""

    step: Step
    path: Path


class Judge(Protocol):
    """Sees what is packaged, and says what it makes of it."""

    def see(self, step: Step) -> Callable[[bytes], None] | None:
        """Return what takes the step's row lines as they are packaged; None where nobody wants them."""
        ...

    def judge(self, tables: Sequence[TableLine], gaps: Sequence[Gap]) -> tuple[Check, ...]:
        """Return the checks that the manifest lists, when every row was seen."""
        ...


def write(
    path: Path,
    draft: Manifest,
    sources: Sequence[Source],
    too_long: TooLong,
    layout: Layout = BRIDGE_1,
    judge: Judge | None = None,
) -> Manifest:
    """Write the package and return its manifest: the draft with tables, gaps, checks and outcome filled in.

    Raises ReaderOutputError when a capture does not fit its columns, PackageError when the disk does not take
    the file. What was written until then stays at ``path``, which must lie in ``building/``.
    """
    try:
        with (
            path.open("wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package,
        ):
            _put(package, layout.version, version_xml(layout, f"beacon-bridge {__version__}"))
            manifest = _fill(package, draft, sources, too_long, layout, judge)
            _put(package, layout.manifest, to_xml(manifest, layout))
            package.close()
            system.flush(file)
    except OSError as error:
        raise _unwritten(error) from error
    return manifest


def _unwritten(error: OSError) -> PackageError:
    return PackageError(
        f"The package cannot be written: {error.strerror or error}.",
        hint="Make room on the disk of the state folder, then `beacon-bridge convert RUN`.",
        retryable=True,
    )


def _fill(
    package: zipfile.ZipFile,
    draft: Manifest,
    sources: Sequence[Source],
    too_long: TooLong,
    layout: Layout,
    judge: Judge | None,
) -> Manifest:
    tables: list[TableLine] = []
    gaps: list[Gap] = []
    for number, source in enumerate(sources, start=1):
        see = judge.see(source.step) if judge else None
        line, found = _put_table(package, layout.entry(number), source, too_long, see)
        tables.append(line)
        gaps += found
    outcome = State.COMPLETE_WITH_GAPS if gaps else State.COMPLETE
    checks = judge.judge(tables, gaps) if judge else ()
    return replace(draft, outcome=outcome, gaps=tuple(gaps), tables=tuple(tables), checks=checks)


def _put_table(
    package: zipfile.ZipFile,
    entry: str,
    source: Source,
    too_long: TooLong,
    see: Callable[[bytes], None] | None,
) -> tuple[TableLine, tuple[Gap, ...]]:
    with package.open(_info(entry), "w", force_zip64=True) as file:
        sink = Hashing(file)
        sink.write(entry_head(source.step))
        converted = copy_rows(source.path, source.step, sink.seen_by(see), too_long=too_long)
        sink.write(ENTRY_TAIL)
    step = source.step
    line = TableLine(
        entry, step.id, step.procedure, step.table, step.columns, converted.rows, sink.digest.hexdigest()
    )
    return line, converted.gaps


def entry_sha256(source: Source, too_long: TooLong) -> str:
    """Return the hash that a step's data entry must have, from its capture."""
    digest = sha256(entry_head(source.step))
    copy_rows(source.path, source.step, digest.update, too_long=too_long)
    digest.update(ENTRY_TAIL)
    return digest.hexdigest()


class Hashing:
    """A sink that hashes what passes through it; PackageError when the disk does not take it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.digest = sha256()
        self._file = file

    def write(self, content: bytes) -> None:
        """Write and hash."""
        self.digest.update(content)
        try:
            self._file.write(content)
        except OSError as error:  # not to be taken for an error of the capture that is being read
            raise _unwritten(error) from error

    def seen_by(self, see: Callable[[bytes], None] | None) -> Callable[[bytes], None]:
        """Return a sink whose content is seen, too, when it is written."""
        if see is None:
            return self.write

        def write(content: bytes) -> None:
            self.write(content)
            see(content)

        return write


def _put(package: zipfile.ZipFile, name: str, content: bytes) -> None:
    package.writestr(_info(name), content)


def _info(name: str) -> zipfile.ZipInfo:
    """Return an entry that carries no date and no trace of the machine."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info._compresslevel = LEVEL  # type: ignore[attr-defined]  # the only place for it in an entry that is streamed
    info.create_system = 0
    info.external_attr = 0o600 << 16
    return info
