"""What the benchmarks run in a process of its own: `python -m tools.bench.child JOB ...`.

Each job imports only what it needs, so that its whole process can be measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

CHUNK = 256 * 1024


def floor(captures: Path, output: Path) -> None:
    """Do the least that the job can cost: parse the captures with expat, hash and deflate the output."""
    import hashlib  # noqa: PLC0415
    import zlib  # noqa: PLC0415
    from xml.parsers import expat  # noqa: PLC0415

    for path in sorted(captures.glob("*.xml")):
        parser = expat.ParserCreate()
        with path.open("rb") as file:
            parser.ParseFile(file)
    digest, packer = hashlib.sha256(), zlib.compressobj(6)
    with output.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            packer.compress(chunk)
    packer.flush()


def convert(captures: Path, package: Path) -> None:
    """Write a package from the captures, every row checked."""
    from bridge.package.write import write  # noqa: PLC0415
    from tools.bench.inputs import draft, sources  # noqa: PLC0415

    write(package, draft(), sources(captures), "refuse")


def stage(captures: Path, package: Path) -> None:
    """Do what the stage convert does: write the package, and verify it."""
    from bridge.package.verify import verify  # noqa: PLC0415

    convert(captures, package)
    verify(package)


def imports() -> None:
    """Import what `stage` imports, and do nothing."""
    import tools.bench.inputs  # noqa: F401, PLC0415


def peak_bytes() -> int:
    """Return this process's peak resident memory; ru_maxrss would count the parent's before exec, too."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


JOBS: dict[str, Callable[..., None]] = {
    "floor": floor,
    "convert": convert,
    "stage": stage,
    "imports": imports,
}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*map(Path, sys.argv[2:]))
    print(json.dumps({"peak": peak_bytes()}))
