"""The names that a stored secret may have."""

from __future__ import annotations

import re

from bridge.errors import SettingsError

# What Windows takes for a device, whatever stands behind a dot:
# learn.microsoft.com/windows/win32/fileio/naming-a-file
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def checked(name: str) -> str:
    """Return the name; SettingsError if no secret can have it."""
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is no name for a secret.",
            hint="Use up to 100 letters, digits, dots, dashes and underscores; begin with a letter or digit.",
        )
    if _DEVICES.fullmatch(name):
        raise SettingsError(
            f"{name!r} is no name for a secret: Windows keeps it for a device.",
            hint="Choose another name, such as contoso-app.",
        )
    return name
