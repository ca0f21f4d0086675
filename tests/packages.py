"""A small package for tests to look into and to spoil."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bridge.capture import CaptureWriter, Header, capture_paths
from bridge.model import Gap, Job, Manifest, Minutes, Origin, Owner, State
from bridge.package.write import Source, write
from bridge.readers import folder
from tests.engines import ROWS, Rows
from tests.folders import make_reader_folder, readers_xml, source_step

DRAFT = Manifest(
    layout="bridge-1",
    connection="Contoso",
    tenant="contoso.example",
    source_type="Badge Service",
    reader="Badge Service",
    owner=Owner.PATH,
    reader_sha256="0" * 64,
    run="20261122T081530Z-4f2a",
    origin=Origin.ENGINE,
    engine="powershell",
    bits="32",
    development=False,
    outcome=State.COMPLETE,
    gaps=(),
    tables=(),
)


def sources(home: Path, rows: Rows = ROWS, gaps: Sequence[Gap] = (), steps: int = 2) -> list[Source]:
    """Write captures of that many steps below ``home``, each with the same rows."""
    files = {"Holder.xml": readers_xml(*(source_step(f"Load{n}", 100 + n) for n in range(steps)))}
    reader = folder.load(make_reader_folder(home, readers=files), Owner.PATH)
    job = Job("x", reader, {}, home, Minutes())
    job.captures.mkdir()
    found = []
    for step, path in capture_paths(job):
        header = Header.of(job, step, engine="powershell", bits="32", version="5.1")
        with CaptureWriter(path, header) as writer:
            for row in rows:
                writer.write(row)
            writer.finish(gaps)
        found.append(Source(step, path))
    return found


def package(home: Path, name: str = "x.zip", rows: Rows = ROWS, steps: int = 2) -> Path:
    """Write a package below ``home`` and return where it lies."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / name
    write(path, DRAFT, sources(home, rows, steps=steps), "refuse")
    return path
