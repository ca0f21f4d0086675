"""The inputs of the benchmarks: captures on disk, the package that they make."""

from __future__ import annotations

import zipfile
from pathlib import Path

from bridge.model import Manifest, Origin, Owner, State
from bridge.package.write import Source, write
from tools.bench.corpus import ASSIGNMENT, SUBSCRIPTION, USAGE, USER, write_captures

STEPS = (SUBSCRIPTION, USER, ASSIGNMENT, USAGE)


def sources(captures: Path) -> list[Source]:
    """Return the captures that write_captures left in a folder, with their steps."""
    return [Source(step, captures / f"{number:03}.xml") for number, step in enumerate(STEPS, start=1)]


def draft() -> Manifest:
    """Return the manifest of a benchmark's package."""
    return Manifest(
        layout="bridge-1",
        connection="Benchmark",
        tenant="contoso.example",
        source_type="Benchmark",
        reader="Benchmark",
        owner=Owner.PATH,
        reader_sha256="0" * 64,
        run="20261122T081530Z-4f2a",
        origin=Origin.ENGINE,
        engine="native",
        bits="none",
        development=True,
        outcome=State.COMPLETE,
        gaps=(),
        tables=(),
    )


def make(folder: Path, users: int) -> Path:
    """Write the captures of so many users, and beside them the bytes that their package holds."""
    captures = folder / "captures"
    write_captures(captures, users, nulls=0.0)
    package = folder / "first.zip"
    write(package, draft(), sources(captures), "refuse")
    with zipfile.ZipFile(package) as archive, (folder / "output").open("wb") as output:
        for name in archive.namelist():
            with archive.open(name) as entry:
                while chunk := entry.read(1024 * 1024):
                    output.write(chunk)
    return captures
