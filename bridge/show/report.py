"""Results as scripts and people get them: JSON values, tables and lines."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, Sequence

from rich.table import Table

from bridge import doctor
from bridge.errors import BridgeError
from bridge.model import Check, Package
from bridge.package.layout import BRIDGE_1
from bridge.runs import record
from bridge.runs.record import Run
from bridge.runs.store import Runs
from bridge.settings import Settings
from bridge.show import screen
from bridge.show import story as stories
from bridge.workplace import Workplace

# --- runs ---


def run_json(run: Run, runs: Runs) -> dict[str, object]:
    """Return run.json's content with where the package lies now and the next command."""
    value: dict[str, object] = json_module.loads(record.to_json(run))
    path = runs.package(run)
    value["folder"] = str(runs.path(run.run))
    value["package_path"] = str(path) if path else None
    value["package_state"] = runs.place(run)
    value["next"] = stories.next_command(run, runs)
    return value


def delivered_json(done: Sequence[Run], failed: Mapping[str, BridgeError], runs: Runs) -> dict[str, object]:
    """Return what `deliver --waiting` did: the runs it delivered, and the error of each connection."""
    return {
        "delivered": [run_json(one, runs) for one in done],
        "failed": [{"connection": name, **screen.error_json(error)} for name, error in failed.items()],
    }


def runs_table(found: Sequence[Run], runs: Runs) -> Table:
    """Return the runs, oldest first."""
    rows = (
        (
            str(run.number),
            run.run,
            run.connection,
            run.reader.name,
            run.state,
            f"{run.rows:,}",
            runs.place(run),
            screen.local(run.started),
        )
        for run in found
    )
    return screen.table(("#", "Run", "Connection", "Reader", "State", "Rows", "Package", "Began"), rows)


def outcome_lines(run: Run, runs: Runs) -> list[object]:
    """Return what a stage made of a run: its tables, its gaps, where its package lies."""
    lines: list[object] = [
        screen.table(
            ("Step", "Table", "Rows"),
            (
                (line.step.id, line.step.table, "-" if line.rows is None else f"{line.rows:,}")
                for line in run.steps
            ),
        )
    ]
    lines += [f"gap {gap.name} ({gap.count}): {gap.text}" for gap in run.gaps]
    lines += check_lines(run.checks)
    lines.append(f"{run.run}: {run.state}, {run.rows:,} rows")
    if path := runs.package(run):
        lines.append(f"package {runs.place(run)}: {path}")
    if run.receipts:
        lines.append(f"{run.receipts[-1].state} at {run.receipts[-1].target}")
    return lines


def check_lines(checks: Sequence[Check]) -> list[object]:
    """Return the checks that found something."""
    return [f"check {one.name}, {one.level}: {one.text}" for one in checks if one.level != "ok"]


def story(run: Run, workplace: Workplace) -> list[object]:
    """Return the run's story, with what SaaS Management means for its licences."""
    return [*stories.tell(run, workplace.runs), *doctor.retired(workplace.settings)]


# --- packages ---


def package_json(package: Package) -> dict[str, object]:
    """Return what a verified package is."""
    manifest = package.manifest
    return {
        "verified": True,
        "path": str(package.path),
        "identity": package.identity,
        "sha256": package.sha256,
        "size": package.size,
        "layout": manifest.layout,
        "connection": manifest.connection,
        "tenant": manifest.tenant,
        "source_type": manifest.source_type,
        "reader": manifest.reader,
        "owner": manifest.owner,
        "reader_sha256": manifest.reader_sha256,
        "run": manifest.run,
        "origin": manifest.origin,
        "engine": manifest.engine,
        "bits": manifest.bits,
        "development": manifest.development,
        "outcome": manifest.outcome,
        "gaps": [{"name": gap.name, "text": gap.text, "count": gap.count} for gap in manifest.gaps],
        "checks": [{"name": one.name, "level": one.level, "text": one.text} for one in manifest.checks],
        "tables": [
            {
                "entry": table.entry,
                "step": table.step,
                "procedure": table.procedure,
                "table": table.table,
                "rows": table.rows,
                "sha256": table.sha256,
                "columns": [column.name for column in table.columns],
            }
            for table in manifest.tables
        ],
    }


def package_lines(package: Package) -> list[object]:
    """Return what a verified package is, for people."""
    manifest = package.manifest
    bits = {"none": "no PowerShell", "unknown": "bits unknown"}.get(manifest.bits, f"{manifest.bits}-bit")
    return [
        f"verified: {package.path}",
        f"{manifest.source_type}, reader {manifest.reader} ({manifest.owner}), tenant {manifest.tenant}, "
        f"run {manifest.run}",
        f"engine {manifest.engine}, {bits}{', development' if manifest.development else ''}, "
        f"origin {manifest.origin}, {manifest.outcome}",
        screen.table(
            ("Entry", "Step", "Table", "Rows", "SHA-256"),
            (
                (table.entry, table.step, table.table, f"{table.rows:,}", table.sha256)
                for table in manifest.tables
            ),
        ),
        *(f"gap {gap.name} ({gap.count}): {gap.text}" for gap in manifest.gaps),
        *check_lines(manifest.checks),
        f"identity {package.identity}",
        BRIDGE_1.readers,
    ]


# --- settings ---


def settings_json(settings: Settings) -> dict[str, object]:
    """Return the settings as they were understood; secrets as their references."""
    return {
        "file": str(settings.file) if settings.file else None,
        "state": str(settings.state),
        "root": str(settings.root) if settings.root else None,
        "release": settings.release,
        "saas_management": settings.saas_management,
        "warnings": list(settings.warnings),
        "connections": {name: record.shown(one) for name, one in settings.connections.items()},
    }


def settings_lines(settings: Settings) -> list[object]:
    """Return the settings as they were understood, for people."""
    rows = [
        ("file", str(settings.file or "none: `beacon-bridge settings --example` prints one")),
        ("state", str(settings.state)),
        ("beacon root", str(settings.root or "the registry tells")),
        ("beacon release", settings.release or "unknown"),
        ("SaaS Management", settings.saas_management),
    ]
    for name, connection in settings.connections.items():
        shown = record.shown(connection)
        rows += [(name, ", ".join(f"{key} = {shown[key]}" for key in ("reader", "tenant", "engine")))]
        rows += [
            ("", f"{key} = {value}")
            for key, value in shown.items()
            if key not in {"reader", "tenant", "engine"}
        ]
    return [screen.table(("Setting", "Value"), rows)]
