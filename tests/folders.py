"""Small reader folders of our own invention, in the vendor's shape, for tests to build and to spoil."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PARAMETERS = (
    '<Parameter Name="ServiceUrl" DisplayText="Badge service" Type="text" IsMandatory="true"/>'
    '<Parameter Name="ApiKey" DisplayText="API key" Type="password" IsMandatory="true"/>'
)

TEST_CONNECTION = """  <TestConnection>
    <Source Name="Ping" Language="PowerShell" File="Badges.ps1" Method="PingBadges">
      <InputVariable Name="ServiceUrl" Variable="ServiceUrl"/>
      <InputVariable Name="ApiKey" Variable="ApiKey"/>
    </Source>
  </TestConnection>
"""

VERSION_CHECK = """  <VersionCheck Language="PowerShell" Method="BadgesVersion">
    <Parameter Name="ServiceUrl" Variable="ServiceUrl"/>
  </VersionCheck>
"""

INPUTS = (
    '<InputVariable Name="ServiceUrl" Variable="ServiceUrl"/><InputVariable Name="ApiKey" Variable="ApiKey"/>'
)

COLUMNS = (
    '<OutputSchema Name="HolderID" Type="int" Property="HolderID"/>'
    '<OutputSchema Name="Mail" Type="nvarchar" Length="200" Property="Mail"/>'
)

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

SCRIPT = """[Net.ServicePointManager]::SecurityProtocol = 'Tls12'

function BadgesVersion { param([Parameter(Mandatory)][string]$ServiceUrl) New-Object PSObject -Property @{ Version = '2.4' } }

function PingBadges { param([Parameter(Mandatory)][string]$ServiceUrl, [Parameter(Mandatory)][string]$ApiKey)
    if ($ApiKey -eq 'wrong') { Write-Error 'key refused' -ErrorAction Continue; exit }
    'OK'
}

function ListHolders { param([Parameter(Mandatory)][string]$ServiceUrl, [Parameter(Mandatory)][string]$ApiKey)
    $row = New-Object PSObject -Property @{ Mail = ''; HolderID = 0 }
    foreach ($n in 1..3) {
        Write-Verbose "holder $n"
        $row.HolderID = $n
        $row.Mail = "user$n@example.org"
        $row
    }
    if ($ServiceUrl -like '*broken*') { throw 'stopped half way' }
}
"""  # noqa: E501  # PowerShell, as it stands in the folder


def target_step(name: str, order: int = 100) -> str:
    """Return a step that is the server's work."""
    sql = f"CREATE TABLE #{name} (HolderID int, Mail nvarchar(200))"
    return (
        f'  <Reader xsi:type="ExecuteOnTarget" Name="{name}" Order="{order}" Retries="1">'
        f"<![CDATA[{sql}]]></Reader>\n"
    )


def source_step(
    name: str = "LoadHolder",
    order: int = 110,
    *,
    method: str = "ListHolders",
    table: str = "#Holder",
    inputs: str = INPUTS,
    columns: str = COLUMNS,
    more: str = "",
) -> str:
    """Return a PowerShell step; ``more`` are further attributes, such as ``VersionFrom="2.0"``."""
    return (
        f'  <Reader xsi:type="SourceToTarget" Name="{name}" Order="{order}" Retries="1" Method="{method}"'
        f' Language="PowerShell" Table="{table}" {more}>\n    {inputs}\n    {columns}\n  </Reader>\n'
    )


def readers_xml(*steps: str) -> str:
    """Return a reader XML file of these steps, with xsi declared on its root and without declaration."""
    return f"<Readers {XSI}>\n{''.join(steps)}</Readers>\n"


HOLDER = readers_xml(target_step("PrepareHolder"), source_step())


def config_xml(
    files: Mapping[str, str],
    *,
    parameters: str = PARAMETERS,
    scripts: str = '<InitScript Name="Badges.ps1"/>',
    functions: str = TEST_CONNECTION + VERSION_CHECK,
) -> str:
    """Return a readerV3.config whose reader XML files are ``{file name: procedure}``."""
    readers = "".join(f'<Reader FileName="{n}" ProcedureName="{p}"/>' for n, p in files.items())
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<Configuration Version="3.0" Language="PowerShell">\n'
        f"  <Parameters>{parameters}</Parameters>\n  <InitScripts>{scripts}</InitScripts>\n{functions}"
        f"  <Readers>{readers}</Readers>\n</Configuration>\n"
    )


def make_reader_folder(
    parent: Path,
    name: str = "Badge Service",
    script: str = SCRIPT,
    readers: Mapping[str, str | bytes] | None = None,
    procedures: Mapping[str, str] | None = None,
    config: str | bytes | None = None,
) -> Path:
    """Build a reader folder below a parent folder and return it.

    ``script`` becomes Badges.ps1 and must hold PingBadges, BadgesVersion and what the steps call.
    ``readers`` are reader XML files by name (``readers_xml(target_step(...), source_step(...))``);
    ``procedures`` names each one's procedure, Computer where it is silent. ``config`` replaces the
    readerV3.config (``config_xml(...)``).
    """
    folder = parent / name
    folder.mkdir(parents=True)
    files = readers if readers is not None else {"Holder.xml": HOLDER}
    places = {file: (procedures or {}).get(file, "Computer") for file in files}
    content = {**files, "readerV3.config": config if config is not None else config_xml(places)}
    for file, text in {**content, "Badges.ps1": script}.items():
        (folder / file).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def make_beacon(parent: Path) -> Path:
    """Build an empty beacon's data root below a parent folder and return it."""
    root = parent / "Flexera Software"
    reader_parent(root).mkdir(parents=True)
    return root


def reader_parent(root: Path) -> Path:
    """Return where the reader folders of a data root lie: a ``parent`` for make_reader_folder."""
    return root / "Compliance" / "ImportProcedures" / "Inventory" / "Reader"


class Values:
    """A registry of a few values, by key and name."""

    def __init__(self, values: Mapping[tuple[str, str], str] | None = None) -> None:
        self.values = dict(values or {})

    def value(self, key: str, name: str) -> str | None:
        """Return the value, None when it is not there."""
        return self.values.get((key, name))
