"""Where secrets are fetched from, and how a reader's parameters are filled without showing one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.errors import SettingsError
from bridge.model import Connection, Granted, Parameter, Reader, Secret, SecretReference


@dataclass
class Secrets:
    """The places a secret can come from: the environment, and ``NAME=value`` lines on standard input.

    ``read_stdin`` is called once, when the first ``stdin:NAME`` is asked for.
    """

    environment: Mapping[str, str] = field(repr=False)
    read_stdin: Callable[[], str] = field(repr=False)
    _lines: dict[str, str] | None = field(default=None, repr=False)

    def fetch(self, reference: SecretReference) -> Secret:
        """Return the secret, or raise SettingsError that names the reference."""
        source = self.environment if reference.where == "env" else self._from_stdin()
        text = source.get(reference.name, "")
        if not text:
            raise SettingsError(f"The secret {reference} is not there.", hint=_how_to_give(reference))
        return Secret(text)

    def _from_stdin(self) -> Mapping[str, str]:
        if self._lines is None:
            pairs = (line.partition("=") for line in self.read_stdin().splitlines() if "=" in line)
            self._lines = {name.strip(): value for name, _, value in pairs}
        return self._lines


def _how_to_give(reference: SecretReference) -> str:
    if reference.where == "env":
        return f"Set the environment variable {reference.name} for the account that runs beacon-bridge."
    return f"Write the line {reference.name}=... to standard input."


def values(connection: Connection, reader: Reader, secrets: Secrets) -> dict[str, str | Secret]:
    """Return a value for each parameter the reader declares.

    A parameter that is neither mandatory nor filled is the empty text, as a dialog field left empty would be
    (inferred: how a beacon hands it over is not public). Raises SettingsError for a parameter the reader does
    not declare, a mandatory one that nothing fills, and a secret one written in plain text.
    """
    declared = {parameter.name: parameter for parameter in reader.parameters}
    for name in connection.parameters:
        if name not in declared:
            raise _unknown(connection, reader, name, declared)
    return {name: _value(connection, parameter, secrets) for name, parameter in declared.items()}


def _value(connection: Connection, parameter: Parameter, secrets: Secrets) -> str | Secret:
    given = connection.parameters.get(parameter.name, "")
    where = f'connections."{connection.name}".parameters.{parameter.name}'
    if isinstance(given, SecretReference):
        return secrets.fetch(given)
    if isinstance(given, Granted):
        raise SettingsError(f"{where}: this connection has no [signin] that could grant a {given.value}.")
    if given and parameter.secret:
        raise SettingsError(
            f"{where}: this parameter is a secret and must not stand in the settings file.",
            hint=f'Write {parameter.name} = {{ secret = "env:NAME" }}.',
        )
    if not given and parameter.mandatory:
        raise SettingsError(
            f"{where}: the reader needs this parameter ({parameter.display}), and nothing fills it.",
            hint=f"Add {parameter.name} to the connection's parameters.",
        )
    return given


def _unknown(
    connection: Connection, reader: Reader, name: str, declared: Mapping[str, Parameter]
) -> SettingsError:
    near = difflib.get_close_matches(name, declared, n=1)
    return SettingsError(
        f'connections."{connection.name}".parameters.{name}: the reader {reader.name} has no such parameter; '
        f"it declares {', '.join(declared) or 'none'}.",
        hint=f"Did you mean {near[0]!r}?" if near else None,
    )
