"""Steps of a reader folder of our own invention, run in the real PowerShell of this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from bridge.capture import NAMESPACE, unescape
from bridge.collect.powershell import PowerShell, find_powershell
from bridge.model import Capture, Collected, Job, Minutes, Owner, Secret, Talk, TokenSource
from bridge.readers.folder import load
from tests.folders import (
    INPUTS,
    PARAMETERS,
    TEST_CONNECTION,
    VERSION_CHECK,
    config_xml,
    make_reader_folder,
    readers_xml,
    source_step,
)

VALUES: Mapping[str, str | Secret] = {"ServiceUrl": "https://badges.example", "ApiKey": Secret("key-canary")}
FUNCTIONS = """
function BadgesVersion { param([string]$ServiceUrl) New-Object PSObject -Property @{ Version = '2.4' } }
function PingBadges { param([string]$ServiceUrl, [string]$ApiKey) 'OK' }
"""


def this_powershell(environment: Mapping[str, str] | None = None) -> PowerShell:
    """Return the engine with this machine's PowerShell."""
    environment = os.environ if environment is None else environment
    return PowerShell(find_powershell(os.environ, windows=False), environment, windows=False)


@dataclass(frozen=True)
class Body:
    """What a step's function does, the columns of its rows, and its inputs."""

    text: str
    columns: Sequence[str] = ("A",)
    inputs: str = INPUTS


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
    parameters: str = PARAMETERS
    tests: str = TEST_CONNECTION + VERSION_CHECK  # the functions that a check calls, each in its PowerShell

    @property
    def bodies(self) -> Mapping[str, Body]:
        """The steps' bodies by the steps' names."""
        return {"LoadHolder": Body(self.body, self.columns)}

    def job(self) -> Job:
        """Build the reader folder and return the job."""
        bodies = self.bodies
        script = "".join([f"{self.before}\n{self.functions}\n", *map(_function, bodies, bodies.values())])
        steps = [_step(name, order, body) for order, (name, body) in enumerate(bodies.items(), start=1)]
        reader = make_reader_folder(
            self.folder,
            script=script,
            readers={"Holder.xml": readers_xml(*steps)},
            config=config_xml({"Holder.xml": "Computer"}, parameters=self.parameters, functions=self.tests),
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


def _function(name: str, body: Body) -> str:
    return f"function {_method(name)} {{ param([string]$ServiceUrl, [string]$ApiKey)\n{body.text}\n}}\n"


def _step(name: str, order: int, body: Body) -> str:
    columns = "".join(
        f'<OutputSchema Name="{one}" Type="nvarchar" Property="{one}"/>' for one in body.columns
    )
    return source_step(name, order, method=_method(name), inputs=body.inputs, columns=columns)


def _method(name: str) -> str:
    return f"List{name.removeprefix('Load')}s"


@dataclass
class Together(Reading):
    """A run of several steps in one PowerShell, for tests that each look at one of them."""

    body: str = ""
    steps: Mapping[str, Body] = field(default_factory=dict)
    collected: dict[str, Capture] = field(default_factory=dict)

    @property
    def bodies(self) -> Mapping[str, Body]:
        """The steps' bodies by the steps' names."""
        return self.steps

    def collect(self) -> Collected:
        """Run the steps and keep their captures."""
        whole = super().collect()
        self.collected = dict(zip(self.steps, whole.captures, strict=True))
        return whole

    def rows_of(self, step: str) -> list[dict[str, str | None]]:
        """Return a step's rows, column -> text."""
        return read(self.collected[step].path)

    def log_of(self, step: str) -> str:
        """Return what was said as log text while a step ran."""
        said = (talk.text for talk in self.said if talk.kind == "log" and talk.step == f"Holder.xml/{step}")
        return "\n".join(said)


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
