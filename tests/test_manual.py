"""The manual keeps up with the program."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import click
import pytest

from bridge import cli, errors
from bridge.errors import BridgeError
from bridge.model import Connection, State
from bridge.package.layout import BRIDGE_1
from bridge.runs.store import PLACES
from bridge.show.example import EXAMPLE

DOCS = Path(__file__).parents[1] / "docs"
MANUAL = (DOCS / "manual.md").read_text("utf-8")
SHARED = {"config", "root", "json", "verbose"}


def section(name: str) -> str:
    """Return a command's section."""
    return MANUAL.split(f"\n### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]


@pytest.mark.parametrize("name", sorted(cli.group.commands))
def test_a_command_has_a_section(name: str) -> None:
    """Each command has a section with an example, which names each of its own options."""
    told = section(name)
    options = [one for one in cli.group.commands[name].params if isinstance(one, click.Option)]
    missing = [one.opts[0] for one in options if one.name not in SHARED and one.opts[0] not in told]
    assert missing == []
    assert f"beacon-bridge {name}" in told.split("```")[1]


@pytest.mark.parametrize("name", sorted(cli.group.commands))
def test_the_examples_of_help_are_in_the_manual(name: str) -> None:
    """What --help shows as an example is explained in the manual."""
    epilog = cli.group.commands[name].epilog or ""
    shown = [line.strip() for line in epilog.splitlines() if line.startswith("  ")]
    assert shown
    assert [line for line in shown if line not in section(name)] == []


def test_the_shared_options_are_explained() -> None:
    """The options of every command stand in one table."""
    table = MANUAL.split("## Options of every command")[1].split("\n## ")[0]
    assert all(f"`--{name}" in table for name in SHARED)


def classes() -> list[type[BridgeError]]:
    """Return every failure there is."""
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, BridgeError)]
    return sorted(found, key=lambda one: one.exit_code)


@pytest.mark.parametrize("failure", classes())
def test_an_exit_code_is_explained(failure: type[BridgeError]) -> None:
    """Each class of failure has its row."""
    assert f"\n| {failure.exit_code} | {failure.__name__} | " in MANUAL


@pytest.mark.parametrize(
    "code", [errors.EXIT_USAGE, errors.EXIT_GAPS, errors.EXIT_SEVERAL, errors.EXIT_INTERRUPTED]
)
def test_a_special_exit_code_is_explained(code: int) -> None:
    """So has each exit code that is no class."""
    assert re.search(rf"\n\| {code} \| \w* ?\| ", MANUAL)


def connection_keys() -> list[str]:
    """Return the keys of a connection's table."""
    return [one.name.replace("_in", "in") for one in fields(Connection) if one.name != "name"]


def test_every_key_of_the_settings_is_explained() -> None:
    """Each key that a connection may have has its row, and so have the other tables' keys."""
    table = MANUAL.split("## bridge.toml")[1].split("\n## ")[0]
    keys = connection_keys()
    assert [key for key in keys if f"| `{key}` |" not in table] == []
    for key in ("[beacon] root", "[beacon] release", "[beacon] saas_management", "[bridge] state"):
        assert f"| `{key}` |" in table


def test_every_key_of_the_settings_is_in_the_example() -> None:
    """The printed example holds each key, set or as a comment."""
    keys = connection_keys()
    assert [key for key in keys if not re.search(rf"(?m)^(# )?{key} = |\.{key}\]", EXAMPLE)] == []
    everything = re.sub(r"(?m)^# (?=\w+ = )", "", EXAMPLE)
    assert tomllib.loads(everything)["beacon"].keys() == {"root", "release", "saas_management"}


def test_states_and_places_are_explained() -> None:
    """Each state of a run is told in formats.md, each place of a package in the manual."""
    formats = (DOCS / "formats.md").read_text("utf-8")
    assert [state for state in State if f"`{state}`" not in formats] == []
    assert [place for place in PLACES if f"`{place}\\`" not in MANUAL and f"{place}\\`" not in MANUAL] == []


def test_the_manual_says_who_reads_a_package() -> None:
    """Nobody is left to believe that a Flexera uploader takes it."""
    told = " ".join(MANUAL.split())
    assert "beacon-bridge alone reads it; no Flexera uploader is known to accept it." in told
    assert "no Flexera uploader is known to accept it" in BRIDGE_1.readers


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"(?m)^#+ (.+)$", page)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_links_lead_somewhere() -> None:
    """A link to a heading leads to one that is there."""
    wrong = []
    for file, anchor in re.findall(r"\]\(([\w.]*)#([\w-]+)\)", MANUAL):
        page = (DOCS / file).read_text("utf-8") if file else MANUAL
        if anchor not in anchors(page):
            wrong.append(f"{file}#{anchor}")
    assert wrong == []
