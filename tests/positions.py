"""Runs of our reader folder whose rows a test gives, and a bridge.toml that knows their connections."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bridge import pipeline, tables
from bridge.capture import CaptureWriter, Header
from bridge.errors import BeaconError
from bridge.model import Check, Connection, Gap, State, Web
from bridge.position import Source
from bridge.runs.record import Run
from bridge.runs.store import Runs
from bridge.settings import Settings
from bridge.workplace import Workplace
from tests.engines import RowsEngine, silent
from tests.tenancy import our_reader
from tools.tenant import Tenant
from tools.tenant.truth import Row, truth

STEPS = {step.id: step for step in our_reader().to_collect}
COLUMNS = {name: [column.name for column in step.columns] for name, step in STEPS.items()}
OPTIONAL = ("organization", "commerce-subscriptions", "usage", "sign-ins", "concealed")
Given = Mapping[str, Iterable[Row]]


def given(tenant: Tenant, **parameters: str) -> dict[str, list[Row]]:
    """Return the rows of every step, as the tenant's truth says."""
    return {step: list(rows) for step, rows in truth(tenant, **parameters).items()}  # type: ignore[arg-type]  # fields by name


def by_step(rows: Given) -> dict[str, Sequence[Sequence[str | None]]]:
    """Return rows as an engine writes them: cells in the order of the columns, null where none is given."""
    return {
        step: [[row.get(name) for name in columns] for row in rows.get(step, ())]
        for step, columns in COLUMNS.items()
    }


def place(home: Path, *, reader: str = "bridge:Microsoft 365", **rows: Given) -> Workplace:
    """Return a workplace whose connections, by name, bring these rows home."""
    state = home / "state"
    connections = {
        name: Connection(name, reader, f"{name.lower()}.example", optional=OPTIONAL) for name in rows
    }
    engines = {name: RowsEngine(by_step=by_step(one)) for name, one in rows.items()}
    return Workplace(
        settings=Settings(None, state, None, None, "unknown", connections, (), Web(), {}),
        runs=Runs(state),
        beacon=BeaconError("no beacon here"),
        values=lambda connection, reader, granted=None: {},
        engines=lambda connection: engines[connection.name],
    )


def run(at: Workplace, name: str = "Contoso") -> Run:
    """Run a connection to the end."""
    return pipeline.run(at, at.settings.connections[name], silent)


def config(home: Path, at: Workplace) -> str:
    """Write the bridge.toml of a workplace and return its path."""
    lines = ["[bridge]", f"state = {json.dumps(str(at.settings.state))}"]
    for name, one in at.settings.connections.items():
        lines += [f"[connections.{name}]", f"reader = {json.dumps(one.reader)}", f'tenant = "{one.tenant}"']
    (home / "bridge.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return str(home / "bridge.toml")


# --- rows without a run ---


def source(
    home: Path,
    rows: Given,
    *,
    name: str = "Contoso",
    tenant: str = "",
    gaps: Sequence[Gap] = (),
    warned: Sequence[Check] = (),
) -> Source:
    """Return rows as captures that no run made, read on 22 November 2026."""
    folder = home / name
    folder.mkdir()
    return Source(
        run="20261122T081530Z-4f2a",
        connection=name,
        tenant=tenant or f"{name.lower()}.example",
        started=datetime(2026, 11, 22, 8, 15, 30, tzinfo=UTC),
        state=State.COMPLETE,
        development=False,
        gaps=tuple(gaps),
        warned=tuple(warned),
        steps={
            step: partial(tables.capture, _captured(folder / f"{number}.xml", step, cells))
            for number, (step, cells) in enumerate(by_step(rows).items())
        },
    )


def _captured(path: Path, step_id: str, rows: Sequence[Sequence[str | None]]) -> Path:
    step = STEPS[step_id]
    header = Header(
        *("Microsoft 365", "bridge", "0" * 64, step.file, step.procedure, step.name, step.table),
        columns=step.columns,
        engine="native",
        bits="none",
        version="3.11",
        start="2026-11-22T08:15:31Z",
    )
    with CaptureWriter(path, header) as writer:
        for row in rows:
            writer.write(row)
        writer.finish()
    return path
