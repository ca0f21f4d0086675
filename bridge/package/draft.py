"""What a run gives to its package: the sources, the rule for long texts, and the manifest's first draft."""

from __future__ import annotations

from pathlib import Path

from bridge.model import Manifest, State
from bridge.package.layout import BRIDGE_1
from bridge.package.write import Source, TooLong
from bridge.runs.record import Run


def sources(folder: Path, run: Run) -> list[Source]:
    """Return the run's captures, which lie in its folder, with their steps, in run order."""
    return [Source(line.step, folder / line.capture) for line in run.steps if line.capture]


def too_long(run: Run) -> TooLong:
    """Return the run's rule for texts longer than their column."""
    return "cut" if run.settings.get("too_long") == "cut" else "refuse"


def draft(run: Run) -> Manifest:
    """Return the manifest without what only the captures tell."""
    engine = run.engine
    return Manifest(
        layout=BRIDGE_1.name,
        connection=run.connection,
        tenant=run.tenant,
        source_type=run.reader.source_type,
        reader=run.reader.name,
        owner=run.reader.owner,
        reader_sha256=run.reader.sha256,
        run=run.run,
        origin=run.origin,
        engine=engine.name if engine else "unknown",
        bits=_bits(run),
        development=run.development,
        outcome=State.COMPLETE,
        gaps=(),
        tables=(),
    )


def _bits(run: Run) -> str:
    if run.engine is None:
        return "unknown"
    return "none" if run.engine.bits.inside is None else str(run.engine.bits.inside)
