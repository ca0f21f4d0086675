"""What Windows itself brings: .NET Framework and TLS 1.2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.errors import BeaconError
from bridge.model import Finding
from bridge.system import NoRegistry, Registry

# Both as the 32-bit PowerShell sees them, and the releases of learn.microsoft.com/dotnet/framework/install/
# how-to-determine-which-versions-are-installed; the least and the recommended one are the beacon's
# (docs.flexera.com/fnms/EN/WebHelp/topics/PrerequisitesForInvBeacons.html).
NET_KEY = r"SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full"
CRYPTO_KEY = r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319"
TLS_KEY = r"SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client"
_RELEASES = (
    (533320, "4.8.1"),
    (528040, "4.8"),
    (461808, "4.7.2"),
    (460798, "4.7"),
    (394802, "4.6.2"),
    (379893, "4.5.2"),
)
_LEAST, _RECOMMENDED = 379893, 394802


@dataclass(frozen=True)
class Facts:
    """What a check asks the operating system: each is given, so that it can be given something else.

    ``zone`` returns the zone that a file's Mark of the Web names, None without one. ``proxies`` returns what
    the running account's system has for ``http`` and ``https``. ``modules`` are the folders in which this
    machine's PowerShell looks for modules; ``own_scripts`` are the scripts of bridge itself.
    """

    windows: bool = False
    account: str = "this account"
    registry: Registry = field(default_factory=NoRegistry)
    zone: Callable[[Path], int | None] = lambda _: None
    proxies: Callable[[], Mapping[str, str]] = dict
    modules: tuple[Path, ...] = ()
    own_scripts: tuple[Path, ...] = ()


def findings(facts: Facts) -> Iterator[Finding]:
    """Yield the release of .NET Framework and the state of TLS 1.2; nothing on another system."""
    if facts.windows:
        yield _framework(facts.registry)
        yield _tls(facts.registry)


def _framework(registry: Registry) -> Finding:
    text = registry.value(NET_KEY, "Release") or ""
    release = int(text) if text.isdecimal() else 0
    version = next((version for least, version in _RELEASES if release >= least), "older than 4.5.2")
    fix = "Install .NET Framework 4.8."
    if release < _LEAST:
        said = f"{version} (release {text or 'unknown'}), expected 4.5.2 at least"
        return Finding(".NET Framework", "fail", said, fix, BeaconError.exit_code)
    if release < _RECOMMENDED:
        return Finding(".NET Framework", "warn", f"{version}; 4.6.2 or later is recommended", fix)
    return Finding(".NET Framework", "ok", f"{version} (release {release})")


def _tls(registry: Registry) -> Finding:
    """Return whether a client may use TLS 1.2, and whether .NET does so without being asked."""
    enabled, off = (registry.value(TLS_KEY, name) for name in ("Enabled", "DisabledByDefault"))
    if enabled == "0" or off not in {None, "0"}:
        text = "switched off for clients; Microsoft takes nothing older"
        fix = rf"Below HKLM\{TLS_KEY} set Enabled = 1 and DisabledByDefault = 0, then restart."
        return Finding("TLS 1.2", "fail", text, fix, BeaconError.exit_code)
    names = ("SchUseStrongCrypto", "SystemDefaultTlsVersions")
    if any(registry.value(CRYPTO_KEY, name) not in {None, "0"} for name in names):
        return Finding("TLS 1.2", "ok", "allowed, and what the 32-bit .NET uses")
    text = "allowed; the 32-bit .NET may begin with an older one unless a reader asks for TLS 1.2"
    fix = rf"Set SchUseStrongCrypto = 1 below HKLM\{CRYPTO_KEY} (32-bit view)."
    return Finding("TLS 1.2", "info", text, fix)
