"""bridge.toml and the environment, read once into one frozen Settings; nothing else reads either."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from bridge.errors import SettingsError
from bridge.model import Connection, Minutes, SecretReference
from bridge.readers import tenants

CONFIG_VARIABLE = "BEACON_BRIDGE_CONFIG"
SKIP_PATTERNS = (r"(?i)\bskip(ped|ping)?\b", r"(?i)not found")

SaasManagement = Literal["yes", "no", "unknown"]


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
    environment: Mapping[str, str] = field(repr=False)

    def connection(self, name: str) -> Connection:
        """Return the connection of that name; SettingsError names the nearest one."""
        if name in self.connections:
            return self.connections[name]
        raise SettingsError(
            f"{self.file or 'the settings'}: there is no connection {name!r}.",
            hint=_nearest(name, self.connections) or 'Add a [connections."NAME"] table to the file.',
        )


# --- the shape of the file ---


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("a text that is not blank")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from error
    return text


def _reference(text: str) -> str:
    where, colon, name = text.partition(":")
    if not colon or where not in {"env", "stdin"} or not name:
        raise ValueError('"env:NAME" or "stdin:NAME"')
    return text


def _release(text: str) -> str:
    if not re.fullmatch(r"20\d\d R[1-9](\.\d+)?", text):
        raise ValueError('a release such as "2024 R1"')
    return text


Text = Annotated[str, AfterValidator(_not_blank)]
Pattern = Annotated[str, AfterValidator(_pattern)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Beacon(_Table):
    root: Text | None = None
    release: Annotated[str, AfterValidator(_release)] | None = None
    saas_management: SaasManagement = "unknown"


class _Bridge(_Table):
    state: Text | None = None


class _Secret(_Table):
    secret: Annotated[str, AfterValidator(_reference)]


def _text_or_secret(value: object) -> str:
    return "secret" if isinstance(value, dict | _Secret) else "text"


ParameterValue = Annotated[
    Annotated[str, Tag("text")] | Annotated[_Secret, Tag("secret")], Discriminator(_text_or_secret)
]


class _Minutes(_Table):
    step: Annotated[float, Field(ge=0)] = 120
    run: Annotated[float, Field(ge=0)] = 600
    silence: Annotated[float, Field(ge=0)] = 30


class _Connection(_Table):
    reader: Text
    tenant: Text
    engine: Literal["powershell", "native"] = "powershell"
    deliver_to: Text | None = None
    parameters: dict[str, ParameterValue] = {}
    optional: list[Text] = []
    tolerate_errors: list[Text] = []
    skip_patterns: list[Pattern] = list(SKIP_PATTERNS)
    too_long: Literal["refuse", "cut"] = "refuse"
    minutes: _Minutes = _Minutes()


# letters, digits, underscore, blank; the first a letter or digit (facts: the beacon's connection dialog)
ConnectionName = Annotated[str, Field(pattern=r"^[^\W_][\w ]*$")]


class _File(_Table):
    beacon: _Beacon = _Beacon()
    bridge: _Bridge = _Bridge()
    connections: dict[ConnectionName, _Connection] = {}


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
        return _settings(None, _File(), environment, default_state)
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


def _check(path: Path, content: dict[str, Any]) -> _File:
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        findings = [_finding(path, dict(finding)) for finding in error.errors(include_input=False)]
        raise SettingsError("\n".join(findings)) from None


_KEY = "[key]"  # how pydantic marks a finding about a key itself


def _finding(path: Path, finding: dict[str, Any]) -> str:
    """Return one finding as a sentence that names the key and shows no value."""
    keys = _keys(finding["loc"])
    dotted = ".".join(f'"{key}"' if " " in key else key for key in keys)
    if finding["type"] == "extra_forbidden":
        known = _known_keys(keys[:-1])
        near = _nearest(keys[-1], known) or f"Valid here: {', '.join(known)}."
        return f"{path}: {dotted}: there is no such key. {near}"
    if finding["type"] == "missing":
        return f"{path}: {dotted}: this key is missing."
    expected = finding["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    expected = expected.replace("valid string", "text").replace("valid dictionary", "table")
    if _KEY in finding["loc"]:
        expected = "a name of letters, digits, underscores and blanks that begins with a letter or digit"
    return f"{path}: {dotted}: expected {expected}."


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """Return the TOML keys of a finding's location, without pydantic's marks."""
    keys = [str(part) for part in location if part != _KEY]
    if len(keys) > 4 and keys[2] == "parameters":  # connections, NAME, parameters, PARAMETER, tag, ...
        del keys[4]
    return keys


def _known_keys(keys: list[str]) -> list[str]:
    tables: dict[str, type[_Table]] = {"beacon": _Beacon, "bridge": _Bridge, "minutes": _Minutes}
    if not keys:
        return list(_File.model_fields)
    if keys[0] == "connections" and len(keys) == 2:
        return list(_Connection.model_fields)
    return list(tables.get(keys[-1], _Secret).model_fields)


def _nearest(word: str, known: Mapping[str, Any] | list[str]) -> str | None:
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {found[0]!r}?" if found else None


# --- checked file -> Settings ---


def _settings(
    path: Path | None, file: _File, environment: Mapping[str, str], default_state: Path
) -> Settings:
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
        environment=environment,
    )


def _place(file: Path | None, text: str | None) -> Path | None:
    """Return a path of the settings file; a relative one counts from the file's folder."""
    return (file or Path()).absolute().parent / text if text else None


def _connection(file: Path | None, name: str, table: _Connection) -> Connection:
    return Connection(
        name=name,
        reader=table.reader,
        tenant=table.tenant,
        engine=table.engine,
        deliver_to=_place(file, table.deliver_to),
        parameters={key: _parameter(value) for key, value in table.parameters.items()},
        optional=tuple(table.optional),
        tolerate_errors=tuple(table.tolerate_errors),
        skip_patterns=tuple(table.skip_patterns),
        too_long=table.too_long,
        minutes=Minutes(table.minutes.step, table.minutes.run, table.minutes.silence),
    )


def _parameter(value: str | _Secret) -> str | SecretReference:
    if isinstance(value, str):
        return value
    where, _, name = value.secret.partition(":")
    return SecretReference(where, name)
