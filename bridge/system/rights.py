"""Who may look into a folder or a file."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import SettingsError
from bridge.system.files import flush, replace

if sys.platform == "win32":
    import ntsecuritycon
    import pywintypes
    import win32api
    import win32con
    import win32security

    if TYPE_CHECKING:
        from _win32typing import PyACL, PySID


def make_private_folder(folder: Path) -> None:
    """Create a folder for Administrators, SYSTEM and the running account; one that exists stays as it is."""
    if folder.exists():
        return
    folder.mkdir(parents=True, mode=0o700)
    if sys.platform == "win32":
        _restrict_on_windows(folder, _own_sids())


def admit(folder: Path, account: str) -> None:
    """Let a further account into a private folder; SettingsError if there is none of that name.

    Only Windows knows further accounts: elsewhere every account but the running one is refused.
    """
    if sys.platform == "win32":
        _admit_on_windows(folder, _sid_of(account))
    else:
        _refuse_account(account)


def write_private(path: Path, content: bytes, account: str | None = None) -> None:
    """Write a file that appears whole or not at all, for Administrators, SYSTEM and one account.

    ``account`` is the running one unless it is named; elsewhere than on Windows it can be no other. The
    rights are set before there is anything to read. Raises SettingsError for an unknown account.
    """
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            if sys.platform == "win32":
                _restrict_on_windows(part, _own_sids(account))
            elif account:
                _refuse_account(account)
            file.write(content)
            flush(file)
        replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def strangers(path: Path, account: str | None = None) -> tuple[str, ...]:
    """Return who else may look into a folder or file; ``account`` is a further one that may.

    Accounts on Windows; ``its owner``, ``group`` and ``others`` elsewhere.
    """
    if sys.platform == "win32":
        return _strangers_on_windows(path, account)
    found = path.stat()
    others = [
        name for name, bits in (("group", stat.S_IRWXG), ("others", stat.S_IRWXO)) if found.st_mode & bits
    ]
    if found.st_uid not in {0, os.geteuid()}:
        others.insert(0, f"its owner (user {found.st_uid})")
    return tuple(others)


def _unknown(account: str) -> SettingsError:
    return SettingsError(
        f"There is no account {account!r}.",
        hint=r"Write it as DOMAIN\NAME or MACHINE\NAME; a gMSA ends in $.",
    )


def _refuse_account(account: str) -> None:
    """Refuse a further account where only the running one can be given rights."""
    raise SettingsError(
        f"Rights for the account {account!r} can be given on Windows only.",
        hint="Run the command as that account.",
    )


if sys.platform == "win32":

    def _own_sids(account: str | None = None) -> list[PySID]:
        """Return Administrators, SYSTEM and the account; the running one unless it is named."""
        return [
            win32security.CreateWellKnownSid(win32security.WinBuiltinAdministratorsSid, None),
            win32security.CreateWellKnownSid(win32security.WinLocalSystemSid, None),
            _sid_of(account) if account else _running_sid(),
        ]

    def _running_sid() -> PySID:
        token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32con.TOKEN_QUERY)
        sid: PySID = win32security.GetTokenInformation(token, win32security.TokenUser)[0]
        return sid

    def _sid_of(account: str) -> PySID:
        try:
            sid: PySID = win32security.LookupAccountName(None, account)[0]
        except pywintypes.error as error:
            raise _unknown(account) from error
        return sid

    def _dacl(path: Path) -> PyACL | None:
        descriptor = win32security.GetNamedSecurityInfo(
            str(path), win32security.SE_FILE_OBJECT, win32security.DACL_SECURITY_INFORMATION
        )
        return descriptor.GetSecurityDescriptorDacl()

    def _allow(dacl: PyACL, path: Path, sid: PySID) -> None:
        inherit = win32con.OBJECT_INHERIT_ACE | win32con.CONTAINER_INHERIT_ACE if path.is_dir() else 0
        dacl.AddAccessAllowedAceEx(win32security.ACL_REVISION, inherit, ntsecuritycon.FILE_ALL_ACCESS, sid)

    def _set(path: Path, dacl: PyACL) -> None:
        win32security.SetNamedSecurityInfo(
            str(path),
            win32security.SE_FILE_OBJECT,
            win32security.DACL_SECURITY_INFORMATION | win32security.PROTECTED_DACL_SECURITY_INFORMATION,
            None,
            None,
            dacl,
            None,
        )

    def _restrict_on_windows(path: Path, sids: list[PySID]) -> None:
        dacl = win32security.ACL()
        for sid in sids:
            _allow(dacl, path, sid)
        _set(path, dacl)

    def _admit_on_windows(folder: Path, sid: PySID) -> None:
        dacl = _dacl(folder)
        if dacl is not None and sid not in [dacl.GetAce(number)[2] for number in range(dacl.GetAceCount())]:
            _allow(dacl, folder, sid)
            _set(folder, dacl)

    def _strangers_on_windows(path: Path, account: str | None) -> tuple[str, ...]:
        dacl = _dacl(path)
        if dacl is None:
            return ("Everyone",)
        own = [*_own_sids(), *([_sid_of(account)] if account else [])]
        names = []
        for number in range(dacl.GetAceCount()):
            (kind, _flags), _mask, sid = dacl.GetAce(number)[:3]
            if kind == win32security.ACCESS_ALLOWED_ACE_TYPE and sid not in own:
                name, domain, _ = win32security.LookupAccountSid(None, sid)
                names.append(f"{domain}\\{name}" if domain else name)
        return tuple(names)
