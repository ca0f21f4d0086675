"""The main job on a machine that has only Python: a beacon's folders, a simulated tenant, one real run.

    python tools/demo.py
    python tools/demo.py --users 20000 --keep
    python tools/demo.py --engine native
    python tools/demo.py --flow certificate
    python tools/demo.py --fault storm,expired-page

With --flow the connection signs in first, at a simulated Microsoft Entra: nothing leaves the machine.
With --fault something goes wrong on purpose; `python -m tools.tenant --list-faults` explains what can.
Where that leaves a tenant that nobody can read whole, the run must fail by name and leave no package.
Otherwise it exits with 0 only if `beacon-bridge verify` accepts the package and its rows equal what the
tenant holds; the rows are read out of the ZIP here, without beacon-bridge.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import environment  # the checkout is on the path only from here on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tools.flows import Way
    from tools.tenant import Faults, Tenant

    Row = dict[str, str | None]  # column -> text, None for null


TOKEN_VARIABLE = "BEACON_BRIDGE_DEMO_TOKEN"  # noqa: S105  # the name of a variable
SEED = 1
CONFIG = "bridge.toml"


def main() -> int:
    """Run the demo and return 0 only if everything is as it must be."""
    given = arguments()
    environment.enter()
    folder = Path(tempfile.mkdtemp(prefix="beacon-bridge-demo-"))
    flow = given.flow or ("secret" if "expired-token" in given.fault else None)  # a new one must come from it
    engine, why = choose_engine(given.engine, flow)
    say(f"A simulated Microsoft 365 tenant of {given.users:,} users, read as a beacon would read it.")
    say(f"Engine: {engine}, because {why}.")
    good = False
    try:
        good = demonstrate(folder, given.users, engine, flow, given.fault)
    finally:
        clear_away(folder, keep=given.keep or not good)
    return 0 if good else 1


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Return what the command line says, or these words."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=1000, metavar="N", help="users of the tenant (1000)")
    parser.add_argument("--keep", action="store_true", help="keep the folder, to look around in it")
    parser.add_argument("--engine", choices=["powershell", "native"], help="instead of what is found here")
    flows = ["secret", "certificate", "refresh", "device", "code"]
    parser.add_argument("--flow", choices=flows, help="sign in this way, instead of being given a token")
    parser.add_argument("--fault", default="", metavar="NAME,...", help="what goes wrong on purpose")
    return parser.parse_args(words)


def choose_engine(named: str | None, flow: str | None = None) -> tuple[str, str]:
    """Return the engine and why it is that one."""
    if named:
        return named, "--engine says so"
    if flow and os.name == "nt":
        return "native", "PowerShell on Windows trusts no certificate of a test but by the machine's store"
    if found := shutil.which("powershell.exe") or shutil.which("pwsh"):
        return "powershell", f"this machine has a PowerShell ({found})"
    return (
        "native",
        "there is no PowerShell (powershell.exe or pwsh) on PATH; it does the same in Python",
    )


def demonstrate(folder: Path, users: int, engine: str, flow: str | None = None, fault: str = "") -> bool:
    """Serve the tenant, run the bridge against it, and return whether package and tenant agree."""
    from tools.tenant import scenario  # noqa: PLC0415  # too old a Python has been refused by now
    from tools.tenant.scenarios import FATAL  # noqa: PLC0415
    from tools.tenant.truth import truth  # noqa: PLC0415

    tenant, faults = scenario(fault, users, SEED)
    lay_out_beacon(folder / "Flexera Software")
    story = Story(folder, tenant, faults, engine)
    run = with_token(story) if flow is None else with_flow(story, flow)
    if FATAL & set(fault.split(",")):
        return must_have_failed(folder, run)
    if run is None:
        return False
    show_run(run)
    bridge = Bridge(folder / CONFIG)
    headline("The verdict of beacon-bridge verify")
    verified = bridge.call("verify", "last:Demo")
    headline("The package against the tenant, compared without beacon-bridge")
    equal = compare(Path(run["package_path"]), truth(tenant, faults))
    say("")
    say(verdict(verified=verified, equal=equal))
    return verified and equal


@dataclass(frozen=True)
class Story:
    """What the demo plays: where, whose tenant, what goes wrong, and which engine reads it."""

    folder: Path
    tenant: Tenant
    faults: Faults
    engine: str

    def write_settings(self, parameters: tuple[str, ...], way: Way | None = None) -> Path:
        """Write bridge.toml; the gaps that the faults make may occur."""
        from tools.tenant.truth import gaps  # noqa: PLC0415  # too old a Python has been refused by now

        optional = tuple(sorted(gaps(self.tenant, self.faults)))
        return write_settings(self.folder, self.tenant, self.engine, parameters, way, optional)


def given_token(root: str) -> tuple[str, ...]:
    """Return the parameters of a connection whose token comes from the environment."""
    token = f'AccessToken = {{ secret = "env:{TOKEN_VARIABLE}" }}'
    return f"GraphRoot = {quoted(root)}", token


def with_token(story: Story) -> dict[str, Any] | None:
    """Run against Graph alone, with a token that is given; None if the run failed."""
    from tools.tenant import serve  # noqa: PLC0415  # too old a Python has been refused by now

    with serve(story.tenant, story.faults) as service:
        config = story.write_settings(given_token(service.root))
        bridge = Bridge(config, {TOKEN_VARIABLE: service.token})
        return run_demo(bridge)


def with_flow(story: Story, flow: str) -> dict[str, Any] | None:
    """Set a sign-in up, and run with it; None if either failed."""
    from tools import flows  # noqa: PLC0415  # too old a Python has been refused by now

    with flows.signed_in(flow, story.tenant, story.folder, story.faults) as way:
        parameters = ('GraphRoot = "https://graph.microsoft.com"', "AccessToken = { token = true }")
        bridge = Bridge(story.write_settings(parameters, way))
        headline(f"The sign-in is set up once: {flow}")
        run = run_demo(bridge) if way.prepare(bridge) else None
        headline("What reached the simulated cloud")
        for line in flows.seen(way.cloud):
            say(line)
        if way.cloud.refused:
            say(f"And these, which it does not play: {', '.join(way.cloud.refused)}")
    return run


def must_have_failed(folder: Path, run: dict[str, Any] | None) -> bool:
    """Return whether a tenant that cannot be read whole left no package, neither here nor at its target."""
    packages = [path for path in folder.rglob("*.zip") if path.is_file()]
    say("")
    if run is None and not packages:
        say("This tenant cannot be read whole: the run says so, and there is no package.")
        return True
    say(f"This tenant cannot be read whole, and yet there is a package: {packages}")
    return False


def run_demo(bridge: Bridge) -> dict[str, Any] | None:
    """List what can be read, and read it; None if the run failed."""
    headline("The beacon's reader folders, and ours")
    bridge.call("list")
    headline("beacon-bridge run Demo")
    return bridge.ask("run", "Demo")


def verdict(*, verified: bool, equal: bool) -> str:
    """Return the closing sentence."""
    if verified and equal:
        return "The package verifies, and its rows equal what the tenant holds."
    if verified:
        return "The package verifies, but its rows DIFFER from what the tenant holds."
    return "The package does NOT verify."


# --- the beacon and its settings ---

BADGE_FOLDER = "Door Badges"
BADGE_CONFIG = """<?xml version="1.0" encoding="utf-8"?>
<Configuration Version="3.0" Language="PowerShell">
  <Parameters>
    <Parameter Name="ServiceUrl" DisplayText="Address of the badge service" Type="text" IsMandatory="true"/>
    <Parameter Name="ApiKey" DisplayText="API key" Type="password" IsMandatory="true"/>
  </Parameters>
  <InitScripts>
    <InitScript Name="Badges.ps1"/>
  </InitScripts>
  <Readers>
    <Reader FileName="Badges.xml" ProcedureName="ActiveDirectory"/>
  </Readers>
</Configuration>
"""
BADGE_STEPS = """<Readers xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Reader xsi:type="SourceToTarget" Name="LoadBadges" Order="100" Retries="1" Table="#Badge"
          Language="PowerShell" Method="GetBadges">
    <InputVariable Name="ServiceUrl" Variable="ServiceUrl"/>
    <InputVariable Name="ApiKey" Variable="ApiKey"/>
    <OutputSchema Name="BadgeId" Type="int" Property="BadgeId"/>
    <OutputSchema Name="Holder" Type="nvarchar" Length="200" Property="Holder"/>
  </Reader>
</Readers>
"""
BADGE_SCRIPT = """function GetBadges {
    param([string]$ServiceUrl, [string]$ApiKey)
    Invoke-RestMethod -Uri "$ServiceUrl/badges" -Headers @{ 'X-Key' = $ApiKey } -UseBasicParsing
}
"""


def lay_out_beacon(root: Path) -> None:
    """Write a beacon's folders, with one small reader folder so that `list` has something to show."""
    (root / "Beacon" / "IntermediateData").mkdir(parents=True)
    reader = root / "Compliance" / "ImportProcedures" / "Inventory" / "Reader" / BADGE_FOLDER
    reader.mkdir(parents=True)
    (reader / "readerV3.config").write_text(BADGE_CONFIG, "utf-8")
    (reader / "Badges.xml").write_text(BADGE_STEPS, "utf-8")
    (reader / "Badges.ps1").write_text(BADGE_SCRIPT, "utf-8")


def write_settings(
    folder: Path,
    tenant: Tenant,
    engine: str,
    parameters: tuple[str, ...],
    way: Way | None = None,
    optional: tuple[str, ...] = (),
) -> Path:
    """Write bridge.toml and make the folder that packages are delivered to."""
    (folder / "Outbox").mkdir()
    config = folder / CONFIG
    lines = [
        "[beacon]",
        f"root = {quoted(folder / 'Flexera Software')}",
        "[bridge]",
        f"state = {quoted(folder / 'state')}",
        "[connections.Demo]",
        'reader = "bridge:Microsoft 365"',
        f"tenant = {quoted(tenant.domain)}",
        f"engine = {quoted(engine)}",
        f"deliver_to = {quoted(folder / 'Outbox')}",
        f"optional = {json.dumps(optional)}",
        "[connections.Demo.parameters]",
        *parameters,
    ]
    if way is not None:
        lines += ["[connections.Demo.signin]", *way.lines]
        lines += ["[http]", f"proxy = {quoted(way.cloud.proxy)}", f"ca_bundle = {quoted(way.cloud.ca)}"]
    config.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return config


def quoted(text: object) -> str:
    """Return a text as TOML writes it, with its backslashes doubled."""
    return json.dumps(str(text), ensure_ascii=False)


# --- the bridge, as an administrator would call it ---


class Bridge:
    """The installed command with the demo's settings; what it tells goes to the terminal as it comes."""

    def __init__(self, config: Path, variables: Mapping[str, str] | None = None) -> None:
        self._command = environment.tool("beacon-bridge")
        self._config = ["--config", str(config)]
        self._environment = {**os.environ, **(variables or {})}

    def call(self, *words: str) -> bool:
        """Run a command in sight, and return whether it succeeded."""
        return self._run(words).returncode == 0

    def ask(self, *words: str) -> dict[str, Any] | None:
        """Run a command for its JSON value, its progress in sight; None if it failed."""
        done = self._run((*words, "--json"), stdout=subprocess.PIPE)
        if done.returncode:
            say(f"beacon-bridge {words[0]} ended with exit code {done.returncode}.")
            return None
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    def give(self, value: str, *words: str) -> bool:
        """Run a command with a value on its standard input, and return whether it succeeded."""
        say(f"> beacon-bridge {' '.join(words)}")
        return self._run(words, given=value.encode()).returncode == 0

    def follow(self, answer: Callable[[str], str | None], *words: str) -> bool:
        """Run a command whose lines are read; what ``answer`` returns for one is typed in."""
        say(f"> beacon-bridge {' '.join(words)}")
        with subprocess.Popen(
            [self._command, *words, *self._config],
            env=self._environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as process:
            for line in process.stderr or ():
                say(line.rstrip())
                typed = answer(line.strip())
                if typed is not None and process.stdin is not None:
                    process.stdin.write(f"{typed}\n")
                    process.stdin.flush()
        return process.returncode == 0

    def _run(
        self, words: tuple[str, ...], *, stdout: int | None = None, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        command = [self._command, *words, *self._config]
        return subprocess.run(command, env=self._environment, input=given, stdout=stdout, check=False)


def show_run(run: dict[str, Any]) -> None:
    """Print the rows a table, and where the package lies."""
    say("")
    tables = [(line["step"]["table"], line["rows"]) for line in run["steps"]]
    width = max(len(table) for table, _ in tables)
    for table, rows in tables:
        say(f"  {table:<{width}}  {rows:>11,} rows")
    say(f"The run {run['run']} is {run['state']}; its package is {run['package_state']}:")
    say(f"  {run['package_path']}")
    for receipt in run["receipts"][-1:]:
        say(f"  {receipt['state']} at {receipt['target']}")


# --- the comparison ---


def compare(package: Path, expected: Mapping[str, Iterator[Row]]) -> bool:
    """Return whether the package holds exactly the expected rows, step by step and in order."""
    wanted = dict(expected)
    equal = True
    with zipfile.ZipFile(package) as archive:
        for name in sorted(one for one in archive.namelist() if one.startswith("data/")):
            with archive.open(name) as file:
                step, rows = read_entry(file)
                equal &= compare_rows(f"{name} ({step})", rows, wanted.pop(step, iter(())))
    for step in wanted:
        say(f"  {step}: the package does not hold it")
    return equal and not wanted


def compare_rows(name: str, found: Iterator[Row], expected: Iterator[Row]) -> bool:
    """Return whether the rows are the same, and say where they first differ."""
    number = 0
    for number, (one, other) in enumerate(zip_longest(map(without_moment, found), expected), start=1):
        if one != other:
            say(f"  {name}, row {number}:")
            say(f"    the package has {one!a}")
            say(f"    the tenant has  {other!a}")
            return False
    say(f"  {name}: {number:,} rows, all equal")
    return True


def without_moment(row: Row) -> Row:
    """Return a row without the server's clock, which is in no data: the Moment of Control."""
    return {**row, "Moment": None} if "Moment" in row else row


def read_entry(file: IO[bytes]) -> tuple[str, Iterator[Row]]:
    """Return an entry's step and its rows, read as they are asked for; nothing is kept."""
    events = ElementTree.iterparse(file, events=("start", "end"))  # noqa: S314  # our own package
    _, root = next(events)
    return unescape(root.attrib["step"]), read_rows(root, events)


def read_rows(root: ElementTree.Element, events: Iterator[tuple[str, Any]]) -> Iterator[Row]:
    """Yield each row by column names; null is an attribute that is not there."""
    columns: dict[str, str] = {}
    parent = root
    for event, element in events:
        tag = element.tag.rpartition("}")[2]
        if tag == "rows" and event == "start":
            parent = element
        elif tag == "column" and event == "end":
            columns[element.attrib["key"]] = unescape(element.attrib["name"])
        elif tag == "r" and event == "end":
            cells: Row = {key: unescape(text) for key, text in element.attrib.items()}
            yield {**{name: cells.pop(key, None) for key, name in columns.items()}, **cells}
            parent.clear()


def unescape(text: str) -> str:
    """Return a text with `_xHHHH_` as the character that XML cannot hold."""
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found.group(1), 16)), text)


# --- talk ---


def clear_away(folder: Path, *, keep: bool) -> None:
    """Remove the demo's folder, or say that it stays."""
    if keep:
        say(f"Everything is kept in {folder}. To look around:")
        say(f'  "{environment.tool("beacon-bridge")}" show --config "{folder / CONFIG}"')
    else:
        shutil.rmtree(folder, ignore_errors=True)
        say(f"{folder} is removed again; --keep keeps it.")


def headline(text: str) -> None:
    """Print a line that stands out."""
    say(f"\n--- {text}")


def say(text: str) -> None:
    """Print a line now: what the bridge prints must not overtake it."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
