"""bridge.toml and the environment, read once into one frozen Settings; nothing else reads either."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.errors import SettingsError
from bridge.model import CLOUDS, Cloud, Connection, Granted, Minutes, SecretReference, SignIn, Web
from bridge.readers import tenants
from bridge.settings import findings
from bridge.settings.shape import (
    ConnectionTable,
    File,
    RefreshTokenTable,
    SaasManagement,
    SecretTable,
    TokenTable,
)

CONFIG_VARIABLE = "BEACON_BRIDGE_CONFIG"


@dataclass(frozen=True)
class Settings:
    """Everything an administrator has said, checked.

    ``environment`` is the process environment; it is not shown, because it can hold secrets.
    """

    file: Path | None
    state: Path
    root: Path | None
    release: str | None
    saas_management: SaasManagement
    connections: Mapping[str, Connection]
    warnings: tuple[str, ...]
    web: Web
    environment: Mapping[str, str] = field(repr=False)
    keep_captures: int = 35  # days; 0: for ever

    def connection(self, name: str) -> Connection:
        """Return the connection of that name; SettingsError names the nearest one."""
        if name in self.connections:
            return self.connections[name]
        raise SettingsError(
            f"{self.file or 'the settings'}: there is no connection {name!r}.",
            hint=findings.nearest(name, self.connections) or 'Add a [connections."NAME"] table to the file.',
        )


# --- reading it ---


def config_path(chosen: Path | None, environment: Mapping[str, str], default_state: Path) -> Path:
    """Return which file counts: ``--config``, else BEACON_BRIDGE_CONFIG, else ``<state>/bridge.toml``."""
    if chosen is not None:
        return chosen
    if named := environment.get(CONFIG_VARIABLE):
        return Path(named)
    return default_state / "bridge.toml"


def load(chosen: Path | None, environment: Mapping[str, str], default_state: Path) -> Settings:
    """Read the settings file. A default file that is not there means settings without connections.

    Raises SettingsError with file, dotted key, what was expected and the nearest valid key.
    """
    path = config_path(chosen, environment, default_state)
    if not path.exists() and path == default_state / "bridge.toml":
        return _settings(None, File(), environment, default_state)
    return _settings(path, _check(path, _parse(path)), environment, default_state)


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
        encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
        return tomllib.loads(content.decode(encoding))
    except OSError as error:
        raise SettingsError(
            f"{path}: the settings file cannot be read: {error.strerror}.",
            hint=f"Write one: beacon-bridge settings --example > {path.name}",
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path}: the settings file is no {error.encoding.upper()} text (byte {error.start}).",
            hint="Save it as UTF-8 in the editor.",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{path}: {error}.",
            hint=r"Windows paths stand between single quotes: 'C:\ProgramData'.",
        ) from error


def _check(path: Path, content: dict[str, Any]) -> File:
    try:
        return File.model_validate(content)
    except ValidationError as error:
        found = [findings.sentence(path, dict(finding)) for finding in error.errors(include_input=False)]
        raise SettingsError("\n".join(found)) from None


# --- checked file -> Settings ---


def _settings(path: Path | None, file: File, environment: Mapping[str, str], default_state: Path) -> Settings:
    connections = {name: _connection(path, name, table) for name, table in file.connections.items()}
    tenants.refuse_doubles(path, connections)
    return Settings(
        file=path,
        state=_place(path, file.bridge.state) or default_state,
        root=_place(path, file.beacon.root),
        release=file.beacon.release,
        saas_management=file.beacon.saas_management,
        connections=connections,
        warnings=tenants.warnings(connections),
        web=_web(path, file),
        environment=environment,
        keep_captures=file.bridge.keep_captures,
    )


def _place(file: Path | None, text: str | None) -> Path | None:
    """Return a path of the settings file; a relative one counts from the file's folder."""
    return (file or Path()).absolute().parent / text if text else None


def _connection(file: Path | None, name: str, table: ConnectionTable) -> Connection:
    return Connection(
        name=name,
        reader=table.reader,
        tenant=table.tenant,
        engine=table.engine,
        deliver_to=_place(file, table.deliver_to),
        cloud=_cloud(table),
        sign_in=_sign_in(file, table),
        parameters={key: _parameter(file, value) for key, value in table.parameters.items()},
        optional=tuple(table.optional),
        tolerate_errors=tuple(table.tolerate_errors),
        skip_patterns=tuple(table.skip_patterns),
        too_long=table.too_long,
        count_slack=table.count_slack,
        max_drop=table.max_drop,
        minutes=Minutes(table.minutes.step, table.minutes.run, table.minutes.silence),
    )


def _parameter(
    file: Path | None, value: str | SecretTable | TokenTable | RefreshTokenTable
) -> str | SecretReference | Granted:
    if isinstance(value, str):
        return value
    if isinstance(value, SecretTable):
        return reference(file, value.secret)
    return Granted.TOKEN if isinstance(value, TokenTable) else Granted.REFRESH_TOKEN


def reference(file: Path | None, text: str) -> SecretReference:
    """Return a checked ``WHERE:NAME`` as a reference; a relative ``file:`` counts from the file's folder."""
    where, _, name = text.partition(":")
    return SecretReference(where, str(_place(file, name)) if where == "file" else name)


def _optional(file: Path | None, text: str | None) -> SecretReference | None:
    return None if text is None else reference(file, text)


def _cloud(table: ConnectionTable) -> Cloud:
    if isinstance(table.cloud, str):
        return CLOUDS[table.cloud]
    return Cloud("own", table.cloud.authority, table.cloud.graph)


def _sign_in(file: Path | None, table: ConnectionTable) -> SignIn | None:
    said = table.signin
    if said is None:
        return None
    return SignIn(
        flow=said.flow,
        client_id=said.client_id,
        secret=_optional(file, said.secret),
        certificate=_optional(file, said.certificate),
        passphrase=_optional(file, said.passphrase),
        refresh_token=_optional(file, said.refresh_token),
    )


def _web(path: Path | None, file: File) -> Web:
    return Web(
        proxy=file.http.proxy,
        proxy_user=file.http.proxy_user,
        proxy_password=_optional(path, file.http.proxy_password),
        no_proxy=tuple(file.http.no_proxy),
        ca_bundle=_place(path, file.http.ca_bundle),
    )
