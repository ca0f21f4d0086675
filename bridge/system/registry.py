"""The registry as the 32-bit beacon sees it."""

from __future__ import annotations

import sys
from typing import Protocol

if sys.platform == "win32":
    import winreg


class Registry(Protocol):
    """Values below HKEY_LOCAL_MACHINE, in the 32-bit view."""

    def value(self, key: str, name: str) -> str | None:
        """Return a text value, None when the key or the value is not there."""
        ...


class NoRegistry:
    """The registry of an operating system that has none."""

    def value(self, key: str, name: str) -> str | None:
        """Return None."""
        return None


if sys.platform == "win32":

    class WindowsRegistry:
        """HKEY_LOCAL_MACHINE as the 32-bit beacon sees it."""

        def value(self, key: str, name: str) -> str | None:
            """Return a text value with its environment variables expanded, None when it is not there."""
            access = winreg.KEY_READ | winreg.KEY_WOW64_32KEY
            try:
                with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, access) as handle:
                    found, kind = winreg.QueryValueEx(handle, name)
            except FileNotFoundError:
                return None
            if kind == winreg.REG_EXPAND_SZ:
                found = winreg.ExpandEnvironmentStrings(found)
            return str(found)


def registry() -> Registry:
    """Return this machine's registry."""
    if sys.platform == "win32":
        return WindowsRegistry()
    return NoRegistry()
