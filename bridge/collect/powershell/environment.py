"""The environment that a PowerShell child gets: a written list, so that nothing strays in."""

from __future__ import annotations

from collections.abc import Mapping

# PSModulePath is left out on purpose: one inherited from PowerShell 7 breaks the modules of 5.1.
# fmt: off
_WINDOWS = (
    "SystemRoot", "windir", "SystemDrive", "ComSpec", "Path", "PATHEXT", "TEMP", "TMP", "OS",
    "COMPUTERNAME", "NUMBER_OF_PROCESSORS", "APPDATA", "LOCALAPPDATA", "ProgramData",
    "ALLUSERSPROFILE", "PUBLIC", "ProgramFiles", "ProgramFiles(x86)", "ProgramW6432",
    "CommonProgramFiles", "CommonProgramFiles(x86)", "CommonProgramW6432", "HTTP_PROXY",
    "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "USER", "USERNAME", "USERDOMAIN", "USERDNSDOMAIN",
    "USERDOMAIN_ROAMINGPROFILE", "USERPROFILE", "HOME", "HOMEDRIVE", "HOMEPATH", "HOMESHARE",
)
# fmt: on
_WINDOWS_BEGINNING = "PROCESSOR_"
_DEVELOPMENT = (
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT",
    "SSL_CERT_FILE",
)

_NAMES = frozenset(name.upper() for name in (*_WINDOWS, *_DEVELOPMENT))

# Colours and questions about updates would only stand in the way (PowerShell 7).
_ADDED = {"NO_COLOR": "1", "POWERSHELL_TELEMETRY_OPTOUT": "1", "POWERSHELL_UPDATECHECK": "Off"}


def of_child(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of our environment the child is given; names are compared as Windows does."""
    kept = {name: value for name, value in environment.items() if _is_kept(name.upper())}
    return {**kept, **_ADDED}


def _is_kept(name: str) -> bool:
    return name in _NAMES or name.startswith(_WINDOWS_BEGINNING)
