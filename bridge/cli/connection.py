"""``connection add``: a tenant more, asked for one by one or read from a file."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.group import group
from bridge.desk import Desk, examples, shared
from bridge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.enrolment import Wanted
    from bridge.model import Parameter
    from bridge.settings import Settings


@group.command(
    epilog=examples(
        'beacon-bridge connection add "Contoso EU"',
        'beacon-bridge connection add "Contoso EU" --from contoso.json',
    )
)
@click.argument("action", type=click.Choice(["add"]))
@click.argument("name")
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    help="Take everything from a JSON file and ask nothing.",
)
@shared
def connection(desk: Desk, action: str, name: str, file: Path | None) -> int:  # there is one
    """Add a connection to bridge.toml; nothing else in the file changes, and a wrong one changes nothing."""
    from bridge import enrolment
    from bridge.settings import addition

    path = _settings_file(desk)
    with addition.begun(path):
        _refuse_taken(desk.workplace.settings, name)
        wanted = enrolment.from_file(file) if file else _asked(desk, name)
        addition.add(path, name, wanted.table, wanted.saas_management, partial(_check, desk, name))
    desk.show(
        {"added": name, "file": str(path)},
        lambda: [f"{name} is added to {path}", f'Next: beacon-bridge check "{name}"'],
    )
    return 0


def _refuse_taken(said: Settings, name: str) -> None:
    taken = next((one for one in said.connections if one.casefold() == name.casefold()), None)
    if taken:
        raise SettingsError(
            f"{said.file}: there is a connection {taken!r} already.",
            hint="Change it there, or choose another name.",
        )


def _settings_file(desk: Desk) -> Path:
    from bridge import system
    from bridge.settings import config_path

    return config_path(desk.config, os.environ, system.default_state())


def _check(desk: Desk, name: str, candidate: Path) -> Settings:
    """Return the settings as they would be; SettingsError unless the connection fits its reader."""
    from bridge import assembly, enrolment, settings, system

    said = settings.load(candidate, os.environ, system.default_state())
    added = said.connection(name)
    reader = desk.workplace.reader(added.reader)
    enrolment.refuse_unfit(assembly.at_its_cloud(added, reader), reader)
    return said


# --- asking ---


def _asked(desk: Desk, name: str) -> Wanted:
    from bridge import assembly
    from bridge.enrolment import Interview
    from bridge.model import Owner
    from bridge.show import catalogue

    place = desk.workplace
    readers = catalogue.names(place)

    def parameters(name: str, signs_in: bool) -> Sequence[Parameter]:  # a fact
        reader = place.reader(name)
        filled = {"GraphRoot"} if assembly.fills_root(reader, signs_in=signs_in) else set()
        ours = reader.owner is Owner.BRIDGE  # what our own folder can do without has a good default
        wanted = [one for one in reader.parameters if one.mandatory or one.secret or not ours]
        return [replace(one, mandatory=one.mandatory and one.name not in filled) for one in wanted]

    talk = Interview(_ask, desk.tell, partial(_store, desk))
    return talk.hold(name, readers, parameters, place.settings.saas_management)


def _ask(question: str, default: str = "") -> str:
    answer: str = click.prompt(question, default=default, show_default=bool(default), err=True)
    return answer


def _store(desk: Desk, name: str) -> None:
    from bridge import assembly
    from bridge.model import Secret

    value = click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True)
    assembly.store(desk.workplace.settings).put(name, Secret(value))
