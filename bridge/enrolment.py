"""A new connection: what has to be known of it, asked one by one or read from a JSON file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bridge.errors import SettingsError
from bridge.model import CLOUDS, Connection, Granted, Parameter, Reader, Secret, SecretReference
from bridge.secrets.names import checked
from bridge.secrets.values import values
from bridge.settings.shape import WHERE

SAAS = ("yes", "no", "unknown")
_FLOWS = ("none", "secret", "certificate", "refresh")
_GRANTS = {"token": "an access token of the sign-in", "refresh_token": "its refresh token"}


# A reader's parameters, by its name and whether the connection signs in: its cloud may then fill one of them.
Declared = Callable[[str, bool], Sequence[Parameter]]


class Ask(Protocol):
    """Asks somebody one thing."""

    def __call__(self, question: str, default: str = "") -> str:
        """Return the answer, or the default where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A connection's table as bridge.toml has it, and whether SaaS Management is in use (None: not said)."""

    table: Mapping[str, object]
    saas_management: str | None = None


def from_file(file: Path) -> Wanted:
    """Return what a JSON file says: the table's keys, and ``saas_management``; or raise SettingsError."""
    try:
        table = json.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise SettingsError(f"{file} is no JSON: {error}.", hint="The manual shows one.") from None
    if not isinstance(table, dict):
        raise SettingsError(f"{file} holds no JSON object.", hint="The manual shows one.")
    said = table.pop("saas_management", None)
    if said is not None and said not in SAAS:
        raise SettingsError(f"{file}: saas_management: expected {', '.join(SAAS)}.", hint="Correct it.")
    return Wanted(table, said)


@dataclass(frozen=True)
class Interview:
    """Asks for a connection one by one; ``tell`` hears what an answer lacks, ``store`` stores a secret."""

    ask: Ask
    tell: Callable[[str], None]
    store: Callable[[str], None]

    def hold(self, name: str, readers: Sequence[str], parameters: Declared, saas: str) -> Wanted:
        """Return what was answered; ``saas`` is what the settings say of SaaS Management by now."""
        reader = self._one_of("Reader folder", readers, readers[0] if readers else "")
        table: dict[str, object] = {"reader": reader, "tenant": self._needed("Tenant (its id or a domain)")}
        cloud = self._one_of("Cloud", list(CLOUDS), "global")
        if cloud != "global":
            table["cloud"] = cloud
        sign_in = self._sign_in(name)
        signs_in = sign_in is not None
        given = {one.name: self._parameter(name, one, signs_in) for one in parameters(reader, signs_in)}
        if filled := {key: value for key, value in given.items() if value}:
            table["parameters"] = filled
        if folder := self.ask("Folder to deliver to (empty: packages wait)"):
            table["deliver_to"] = folder
        if sign_in:
            table["signin"] = sign_in
        return Wanted(table, self._one_of("Is Flexera SaaS Management in use", SAAS, saas))

    def _sign_in(self, name: str) -> dict[str, object] | None:
        flow = self._one_of("Sign-in", _FLOWS, "none")
        if flow == "none":
            return None
        table: dict[str, object] = {"flow": flow, "client_id": self._needed("Application (client) id")}
        key = {"refresh": "refresh_token"}.get(flow, flow)
        table[key] = self._secret(f"The {key.replace('_', ' ')}", f"{_slug(name)}-{key.replace('_', '-')}")
        if flow == "certificate" and self._one_of("Has it a passphrase", ("yes", "no"), "no") == "yes":
            table["passphrase"] = self._secret("The passphrase", f"{_slug(name)}-passphrase")
        return table

    def _parameter(self, name: str, parameter: Parameter, signs_in: bool) -> object:  # a fact
        text = f"{parameter.display or parameter.name} ({parameter.name})"
        if not parameter.secret:
            return self._needed(text) if parameter.mandatory else self.ask(f"{text}, may be empty")
        usual = "token" if signs_in else f"store:{_slug(name)}-{parameter.name.lower()}"
        grants = f", or {' / '.join(f'{one}: {what}' for one, what in _GRANTS.items())}" if signs_in else ""
        default = usual if parameter.mandatory or signs_in else ""
        spare = {"", *(_GRANTS if signs_in else ())}
        answer = self._reference(f"{text}: where the secret is{grants}", default, spare)
        if answer in _GRANTS:
            return {answer: True}
        return {"secret": self._offered(answer)} if answer else None

    def _secret(self, what: str, name: str) -> str:
        return self._offered(self._reference(f"{what}: where it is", f"store:{name}"))

    def _reference(self, question: str, default: str, spare: Collection[str] = ()) -> str:
        """Ask until the answer says where a secret is, or is one of ``spare``; it is never repeated.

        A bare word is asked again: it could be the secret itself, and would be kept in the settings.
        """
        while True:
            answer = self.ask(question, default)
            if answer in spare or _is_reference(answer):
                return answer
            self.tell("Say where it is, such as store:contoso-app, file:PATH or env:NAME; not what it is.")

    def _offered(self, reference: str) -> str:
        where, _, name = reference.partition(":")
        if where == "store" and self._one_of(f"Store {name} now", ("yes", "no"), "no") == "yes":
            self.store(name)
        return reference

    def _needed(self, question: str) -> str:
        while not (answer := self.ask(question).strip()):
            self.tell("This one is needed.")
        return answer

    def _one_of(self, question: str, known: Sequence[str], default: str) -> str:
        """Ask until the answer is one of the known words, or the number of one."""
        while True:
            answer = self.ask(f"{question} ({', '.join(known)})", default)
            if answer in known:
                return answer
            if answer.isdecimal() and 0 < int(answer) <= len(known):
                return known[int(answer) - 1]
            self.tell(f"{answer!r} is none of these.")


def _is_reference(answer: str) -> bool:
    """Return whether that is a place of secrets and the name of one that can be there."""
    where, _, name = answer.partition(":")
    if where != "store":
        return where in WHERE and bool(name.strip())
    try:
        checked(name)
    except SettingsError:
        return False
    return True


def _slug(name: str) -> str:
    """Return a connection's name as the beginning of a stored secret's: ``contoso-eu``."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower())) or "connection"


# --- does it fit its reader ---


class _Promised:
    """Every secret, as if it were there: it may be stored after the connection is added."""

    def fetch(self, reference: SecretReference) -> Secret:
        """Return a stand-in."""
        return Secret(f"{reference}")


def refuse_unfit(connection: Connection, reader: Reader) -> None:
    """Raise SettingsError unless the parameters are those the reader declares, each mandatory one filled."""

    def granted(kind: Granted) -> Secret:
        if connection.sign_in is None:
            raise SettingsError(f"{connection.name} has no signin that could grant a {kind.value}.")
        return Secret(kind.value)

    values(connection, reader, _Promised(), granted)
