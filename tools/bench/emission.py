"""P3: what the PowerShell host costs a row, beside what Export-Clixml costs, emission taken off both."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bridge import assembly
from bridge.model import Job, Minutes, Owner, Talk
from bridge.readers import folder as reader_folder
from tools.bench import measure
from tools.bench.measure import Figure

COLUMNS = tuple(f"Text{number}" for number in range(1, 13))
TARGET = 0.25

_CONFIG = """<Configuration Version="3.0" Language="PowerShell">
  <Parameters><Parameter Name="Count" DisplayText="Rows" Type="text" IsMandatory="true"/></Parameters>
  <InitScripts><InitScript Name="Rows.ps1"/></InitScripts>
  <Readers><Reader FileName="Rows.xml" ProcedureName="Computer"/></Readers>
</Configuration>
"""
_STEP = """<Readers xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Reader xsi:type="SourceToTarget" Name="Rows" Order="1" Table="#Rows"
          Language="PowerShell" Method="GetRows">
    <InputVariable Name="Count" Variable="Count"/>
{columns}
  </Reader>
</Readers>
"""
_ROWS = """function GetRows {{
    param([string]$Count)
    for ($i = 0; $i -lt [int]$Count; $i++) {{
        [pscustomobject]@{{ {cells} }}
    }}
}}
"""
_ALONE = """. (Join-Path $PSScriptRoot 'Rows.ps1')
if ($args[1]) { GetRows -Count $args[0] | Export-Clixml -Path $args[1] }
else { GetRows -Count $args[0] | Out-Null }
"""


def figures(folder: Path, rows: int, count: int) -> list[Figure]:
    """Return P3 for rows without nulls and with half nulls; skipped where there is no PowerShell."""
    variants = (
        ("P3a", "host a row / Export-Clixml, no nulls", False),
        ("P3b", "the same, half of the cells null", True),
    )
    powershell = shutil.which("pwsh")
    if powershell is None:
        return [
            Figure(name, what, (), target=TARGET, skipped="pwsh is not on PATH") for name, what, _ in variants
        ]
    return [
        Figure(name, what, _shares(folder / name, powershell, rows, count, half), target=TARGET)
        for name, what, half in variants
    ]


def write_reader(folder: Path, *, half_null: bool) -> None:
    """Write a reader folder whose one step emits rows of twelve texts, or of six texts and six nulls."""
    folder.mkdir(parents=True)
    columns = "\n".join(
        f'    <OutputSchema Name="{one}" Type="nvarchar" Length="200" Property="{one}"/>' for one in COLUMNS
    )
    cells = (
        f"{one} = $null" if half_null and number % 2 else f'{one} = "user$i@contoso{number}.example"'
        for number, one in enumerate(COLUMNS)
    )
    (folder / "readerV3.config").write_text(_CONFIG, "utf-8")
    (folder / "Rows.xml").write_text(_STEP.format(columns=columns), "utf-8")
    (folder / "Rows.ps1").write_text(_ROWS.format(cells="; ".join(cells)), "utf-8")
    (folder / "Alone.ps1").write_text(_ALONE, "utf-8")


def _shares(folder: Path, powershell: str, rows: int, count: int, half_null: bool) -> tuple[float, ...]:
    reader = folder / "Rows"
    write_reader(reader, half_null=half_null)
    alone = [powershell, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", str(reader / "Alone.ps1")]
    jobs: dict[str, Callable[[], float]] = {}
    for name, number in (("few", str(rows // 10)), ("all", str(rows))):
        jobs[f"host {name}"] = partial(_host, reader, folder / "run", number)
        jobs[f"emit {name}"] = partial(measure.cpu, [*alone, number])
        jobs[f"clixml {name}"] = partial(measure.cpu, [*alone, number, str(folder / "rows.xml")])
    return tuple(share(one) for one in measure.rounds(count, jobs))


def share(seconds: dict[str, float]) -> float:
    """Return the host's share of Export-Clixml's cost a row, emitting taken off both.

    What a tenth of the rows costs is taken off first: starting, and compiling until the loops are warm.
    """
    host, emit, clixml = (
        seconds[f"{name} all"] - seconds[f"{name} few"] for name in ("host", "emit", "clixml")
    )
    return (host - emit) / (clixml - emit)


def _host(reader: Path, run: Path, rows: str) -> float:
    """Return the CPU seconds of the PowerShell that the bridge starts for one step of so many rows."""
    shutil.rmtree(run, ignore_errors=True)
    (run / "capture").mkdir(parents=True)
    job = Job("bench", reader_folder.load(reader, Owner.PATH), {"Count": rows}, run, Minutes())
    engine = assembly.find_tester(os.environ)
    before = measure.children_seconds()
    collected = engine.collect(job, _nobody)
    if [capture.rows for capture in collected.captures] != [int(rows)]:
        raise SystemExit(f"the host brought {collected.captures}, not {rows} rows")
    return measure.children_seconds() - before


def _nobody(talk: Talk) -> None:
    """Listen to nothing."""
