"""The shape of bridge.toml: every table and key, and what each may hold."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

SKIP_PATTERNS = (r"(?i)\bskip(ped|ping)?\b", r"(?i)not found")

WHERE = frozenset({"env", "stdin", "store", "file", "keyring"})  # where a secret can rest
_NO_TENANT = frozenset({"common", "organizations", "consumers"})  # Microsoft's words for any of them

SaasManagement = Literal["yes", "no", "unknown"]


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
    if not colon or where not in WHERE or not name.strip():
        raise ValueError('"store:NAME", "file:PATH", "env:NAME", "stdin:NAME" or "keyring:NAME"')
    return text


def _tenant(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", text) or text.lower() in _NO_TENANT:
        raise ValueError("a tenant id or one of the tenant's domains, such as contoso.example")
    return text


def _client_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise ValueError("an application (client) id, such as 11111111-2222-3333-4444-555555555555")
    return text.lower()


def _https(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("an https address, such as https://graph.microsoft.com")
    return text.rstrip("/")


def _proxy(text: str) -> str:
    parts = urlsplit(text)
    if text in {"system", "none"} or (
        parts.scheme in {"http", "https"} and parts.hostname and "@" not in text
    ):
        return text
    raise ValueError('"system", "none" or an address without a password, such as http://proxy.example:8080')


def _release(text: str) -> str:
    if not re.fullmatch(r"20\d\d R[1-9](\.\d+)?", text):
        raise ValueError('a release such as "2024 R1"')
    return text


Text = Annotated[str, AfterValidator(_not_blank)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Reference = Annotated[str, AfterValidator(_reference)]
Https = Annotated[str, AfterValidator(_https)]


class Table(BaseModel):
    """A table that holds its keys and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BeaconTable(Table):
    """``[beacon]``."""

    root: Text | None = None
    release: Annotated[str, AfterValidator(_release)] | None = None
    saas_management: SaasManagement = "unknown"


class BridgeTable(Table):
    """``[bridge]``."""

    state: Text | None = None
    keep_captures: Annotated[int, Field(ge=0, le=3660)] = 35


class HttpTable(Table):
    """``[http]``."""

    proxy: Annotated[str, AfterValidator(_proxy)] = "system"
    proxy_user: Text | None = None
    proxy_password: Reference | None = None
    no_proxy: list[Text] = []
    ca_bundle: Text | None = None


class SecretTable(Table):
    """``{ secret = "store:NAME" }``."""

    secret: Reference


class TokenTable(Table):
    """``{ token = true }``."""

    token: Literal[True]


class RefreshTokenTable(Table):
    """``{ refresh_token = true }``."""

    refresh_token: Literal[True]


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "text"
    keys = value if isinstance(value, dict) else ()
    return next((key for key in ("token", "refresh_token") if key in keys), "secret" if keys else "text")


ParameterValue = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[SecretTable, Tag("secret")]
    | Annotated[TokenTable, Tag("token")]
    | Annotated[RefreshTokenTable, Tag("refresh_token")],
    Discriminator(_kind),
]


class CloudTable(Table):
    """``{ authority = "https://...", graph = "https://..." }``: a cloud that has no name here."""

    authority: Https
    graph: Https


def _cloud_kind(value: object) -> str:
    return "own" if isinstance(value, dict | CloudTable) else "name"


CloudName = Literal["global", "gcc", "gcc-high", "dod", "21vianet"]
CloudValue = Annotated[
    Annotated[CloudName, Tag("name")] | Annotated[CloudTable, Tag("own")], Discriminator(_cloud_kind)
]


class SignInTable(Table):
    """``[connections.NAME.signin]``."""

    flow: Literal["secret", "certificate", "refresh"]
    client_id: Annotated[str, AfterValidator(_client_id)]
    secret: Reference | None = None
    certificate: Reference | None = None
    passphrase: Reference | None = None
    refresh_token: Reference | None = None

    @model_validator(mode="after")
    def _has_its_credential(self) -> Self:
        """Refuse a flow without its credential, and a credential that the flow does not use."""
        needed = {"secret": "secret", "certificate": "certificate", "refresh": "refresh_token"}[self.flow]
        used = {"secret": {"secret"}, "certificate": {"certificate", "passphrase"}}.get(
            self.flow, {"refresh_token", "secret"}
        )
        if getattr(self, needed) is None:
            raise ValueError(f'the key {needed}, such as {needed} = "store:NAME", for the flow {self.flow}')
        given = {"secret", "certificate", "passphrase", "refresh_token"} & self.model_fields_set
        if spare := sorted(given - used):
            raise ValueError(f"no key {spare[0]} for the flow {self.flow}")
        return self


Minutes = Annotated[float, Field(ge=0, le=10 * 366 * 24 * 60)]  # ten years; what is without limit is 0


Share = Annotated[float, Field(ge=0, le=1)]


class MinutesTable(Table):
    """``minutes = { step = 120, run = 600, silence = 30 }``."""

    step: Minutes = 120
    run: Minutes = 600
    silence: Minutes = 30


class ConnectionTable(Table):
    """``[connections.NAME]``."""

    reader: Text
    tenant: Annotated[str, AfterValidator(_tenant)]
    engine: Literal["powershell", "native"] = "powershell"
    deliver_to: Text | None = None
    cloud: CloudValue = "global"
    signin: SignInTable | None = None
    parameters: dict[str, ParameterValue] = {}
    optional: list[Text] = []
    tolerate_errors: list[Text] = []
    skip_patterns: list[Pattern] = list(SKIP_PATTERNS)
    too_long: Literal["refuse", "cut"] = "refuse"
    count_slack: Share = 0.005
    max_drop: Share = 0.5
    minutes: MinutesTable = MinutesTable()


# letters, digits, underscore, blank; the first a letter or digit (facts: the beacon's connection dialog)
ConnectionName = Annotated[str, Field(pattern=r"^[^\W_][\w ]*$")]


class File(Table):
    """The whole file."""

    beacon: BeaconTable = BeaconTable()
    bridge: BridgeTable = BridgeTable()
    http: HttpTable = HttpTable()
    connections: dict[ConnectionName, ConnectionTable] = {}
