"""A reader's parameters, filled without showing a secret."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Protocol

from bridge.errors import SettingsError
from bridge.model import Connection, Granted, Parameter, Reader, Secret, SecretReference

Grant = Callable[[Granted], Secret]


class Fetches(Protocol):
    """Fetches a secret that is a text."""

    def fetch(self, reference: SecretReference) -> Secret:
        """Return it, or raise SettingsError that names the reference."""
        ...


def values(
    connection: Connection, reader: Reader, secrets: Fetches, granted: Grant | None = None
) -> dict[str, str | Secret]:
    """Return a value for each parameter the reader declares.

    ``granted`` is asked for what the connection's sign-in grants; None where there is no sign-in.

    A parameter that is neither mandatory nor filled is the empty text, as a dialog field left empty would be
    (inferred: how a beacon hands it over is not public). Raises SettingsError for a parameter the reader does
    not declare, a mandatory one that nothing fills, and a secret one written in plain text.
    """
    declared = {parameter.name: parameter for parameter in reader.parameters}
    for name in connection.parameters:
        if name not in declared:
            raise _unknown(connection, reader, name, declared)
    return {name: _value(connection, parameter, secrets, granted) for name, parameter in declared.items()}


def _value(
    connection: Connection, parameter: Parameter, secrets: Fetches, granted: Grant | None
) -> str | Secret:
    given = connection.parameters.get(parameter.name, "")
    where = f'connections."{connection.name}".parameters.{parameter.name}'
    if isinstance(given, SecretReference):
        return secrets.fetch(given)
    if isinstance(given, Granted):
        if granted is None:
            raise SettingsError(f"{where}: this connection has no [signin] that could grant a {given.value}.")
        return granted(given)
    if given and parameter.secret:
        raise SettingsError(
            f"{where}: this parameter is a secret and must not stand in the settings file.",
            hint=f'Run `beacon-bridge secret set NAME`; {parameter.name} = {{ secret = "store:NAME" }}.',
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
