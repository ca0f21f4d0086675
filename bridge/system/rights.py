"""Who may look into a folder."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    import ntsecuritycon
    import win32api
    import win32con
    import win32security


def make_private_folder(folder: Path) -> None:
    """Create a folder for Administrators, SYSTEM and the running account; one that exists stays as it is."""
    if folder.exists():
        return
    folder.mkdir(parents=True, mode=0o700)
    if sys.platform == "win32":
        _restrict_on_windows(folder)


def strangers(folder: Path) -> tuple[str, ...]:
    """Return who else may look into a folder: accounts on Windows, ``group``/``others`` elsewhere."""
    if sys.platform == "win32":
        return _strangers_on_windows(folder)
    mode = folder.stat().st_mode
    return tuple(name for name, bits in (("group", stat.S_IRWXG), ("others", stat.S_IRWXO)) if mode & bits)


if sys.platform == "win32":

    def _own_sids() -> list[Any]:
        token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32con.TOKEN_QUERY)
        account, _ = win32security.GetTokenInformation(token, win32security.TokenUser)
        return [
            win32security.CreateWellKnownSid(win32security.WinBuiltinAdministratorsSid, None),
            win32security.CreateWellKnownSid(win32security.WinLocalSystemSid, None),
            account,
        ]

    def _restrict_on_windows(folder: Path) -> None:
        dacl = win32security.ACL()
        inherit = win32con.OBJECT_INHERIT_ACE | win32con.CONTAINER_INHERIT_ACE
        for sid in _own_sids():
            dacl.AddAccessAllowedAceEx(
                win32security.ACL_REVISION, inherit, ntsecuritycon.FILE_ALL_ACCESS, sid
            )
        win32security.SetNamedSecurityInfo(
            str(folder),
            win32security.SE_FILE_OBJECT,
            win32security.DACL_SECURITY_INFORMATION | win32security.PROTECTED_DACL_SECURITY_INFORMATION,
            None,
            None,
            dacl,
            None,
        )

    def _strangers_on_windows(folder: Path) -> tuple[str, ...]:
        descriptor = win32security.GetNamedSecurityInfo(
            str(folder), win32security.SE_FILE_OBJECT, win32security.DACL_SECURITY_INFORMATION
        )
        dacl = descriptor.GetSecurityDescriptorDacl()
        if dacl is None:
            return ("Everyone",)
        own = _own_sids()
        names = []
        for number in range(dacl.GetAceCount()):
            (kind, _flags), _mask, sid = dacl.GetAce(number)[:3]
            if kind == win32security.ACCESS_ALLOWED_ACE_TYPE and sid not in own:
                name, domain, _ = win32security.LookupAccountSid(None, sid)
                names.append(f"{domain}\\{name}" if domain else name)
        return tuple(names)
