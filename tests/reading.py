"""One step of a reader folder of our own invention, run in the real PowerShell of this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from bridge.capture import NAMESPACE, unescape
from bridge.collect.powershell import PowerShell, find_powershell
from bridge.model import Collected, Job, Minutes, Owner, Secret, Talk, TokenSource
from bridge.readers.folder import load
from tests.folders import config_xml, make_reader_folder, readers_xml, source_step

VALUES: Mapping[str, str | Secret] = {"ServiceUrl": "https://badges.example", "ApiKey": Secret("key-canary")}
FUNCTIONS = """
function BadgesVersion { param([string]$ServiceUrl) New-Object PSObject -Property @{ Version = '2.4' } }
function PingBadges { param([string]$ServiceUrl, [string]$ApiKey) 'OK' }
"""


def this_powershell(environment: Mapping[str, str] | None = None) -> PowerShell:
    """Return the engine with this machine's PowerShell."""
    environment = os.environ if environment is None else environment
    return PowerShell(find_powershell(os.environ, windows=False), environment, windows=False)


@dataclass
class Reading:
    """A run folder, a reader folder with one step that emits rows of the given columns, and what was said."""

    folder: Path
    body: str
    columns: Sequence[str] = ("A",)
    functions: str = FUNCTIONS
    before: str = ""  # what stands in the init script before the functions
    values: Mapping[str, str | Secret] = field(default_factory=lambda: dict(VALUES))
    minutes: Minutes = field(default_factory=lambda: Minutes(1, 1, 1))
    tolerate_errors: tuple[str, ...] = ()
    skip_patterns: tuple[str, ...] = ()
    owner: Owner = Owner.PATH
    token: TokenSource | None = None
    environment: Mapping[str, str] | None = None
    said: list[Talk] = field(default_factory=list)

    def job(self) -> Job:
        """Build the reader folder and return the job."""
        columns = "".join(
            f'<OutputSchema Name="{name}" Type="nvarchar" Property="{name}"/>' for name in self.columns
        )
        script = (
            f"{self.before}\n{self.functions}\n"
            "function ListHolders { param([string]$ServiceUrl, [string]$ApiKey)\n" + self.body + "\n}\n"
        )
        reader = make_reader_folder(
            self.folder,
            script=script,
            readers={"Holder.xml": readers_xml(source_step(columns=columns))},
            config=config_xml({"Holder.xml": "Computer"}),
        )
        run = self.folder / "run"
        (run / "capture").mkdir(parents=True)
        return Job(
            run="run",
            reader=load(reader, self.owner),
            values=self.values,
            folder=run,
            minutes=self.minutes,
            tolerate_errors=self.tolerate_errors,
            skip_patterns=self.skip_patterns,
            token=self.token,
        )

    def collect(self) -> Collected:
        """Run the step."""
        return this_powershell(self.environment).collect(self.job(), self.said.append)

    def rows(self) -> list[dict[str, str | None]]:
        """Run the step and return its rows, column -> text."""
        return read(self.collect().captures[0].path)

    @property
    def capture(self) -> Path:
        """Where the step's capture lies if the step succeeded."""
        return self.folder / "run" / "capture" / "001.xml"

    @property
    def log(self) -> str:
        """Everything that was said as log text."""
        return "\n".join(talk.text for talk in self.said if talk.kind == "log")


def read(path: Path) -> list[dict[str, str | None]]:
    """Return a capture's rows by a parser that is not ours, column name -> text, None for null."""
    root = etree.parse(str(path)).getroot()
    name = {"c": NAMESPACE}
    columns = {str(one.get("key")): str(one.get("name")) for one in root.iterfind("c:header/c:column", name)}
    return [
        {column: _text(row.get(key)) for key, column in columns.items()}
        for row in root.iterfind("c:rows/c:r", name)
    ]


def _text(found: str | None) -> str | None:
    return None if found is None else unescape(found)
