"""Accounts and the lists of who may do what with a file, as Windows keeps them; imported there only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ntsecuritycon
import pywintypes
import win32api
import win32con
import win32security

if TYPE_CHECKING:
    from _win32typing import PyACL, PySID


class Windows:
    """Obeys system.rights.Lists by way of pywin32, whose errors become OSError."""

    def running(self) -> str:
        """Return the SID of the running account."""
        with _translated():
            token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32con.TOKEN_QUERY)
            return _text(win32security.GetTokenInformation(token, win32security.TokenUser)[0])

    def is_member(self, sid: str) -> bool:
        """Return whether this process acts for a group; an administrator who is not elevated does not."""
        with _translated():
            return bool(win32security.CheckTokenMembership(None, _sid(sid)))  # type: ignore[arg-type]  # None is this process

    def sid(self, account: str) -> str:
        """Return an account's SID; LookupError if there is none of that name."""
        try:
            return _text(win32security.LookupAccountName(None, account)[0])
        except pywintypes.error as error:
            raise LookupError(account) from error

    def name(self, sid: str) -> str:
        """Return an account's name; the SID itself if the account is gone."""
        try:
            name, domain, _ = win32security.LookupAccountSid(None, _sid(sid))
        except pywintypes.error:
            return sid
        return f"{domain}\\{name}" if domain else name

    def allowed(self, path: Path) -> tuple[str, ...] | None:
        """Return the SIDs that are allowed something; None if everybody is allowed everything."""
        with _translated(path):
            dacl = _dacl(path)
            if dacl is None:
                return None
            entries = [dacl.GetAce(number) for number in range(dacl.GetAceCount())]
            return tuple(
                _text(entry[2]) for entry in entries if entry[0][0] == win32security.ACCESS_ALLOWED_ACE_TYPE
            )

    def restrict(self, path: Path, sids: Sequence[str]) -> None:
        """Allow these everything and nobody else anything, whatever the folder above allows."""
        with _translated(path):
            dacl = win32security.ACL()
            for sid in sids:
                _allow(dacl, path, sid)
            _set(path, dacl)

    def add(self, path: Path, sid: str) -> None:
        """Allow one more account everything; nothing to do where everybody is."""
        with _translated(path):
            dacl = _dacl(path)
            if dacl is not None:
                _allow(dacl, path, sid)
                _set(path, dacl)


@contextmanager
def _translated(path: Path | None = None) -> Iterator[None]:
    """Turn an error of pywin32, which is none of Python's, into the OSError of that number."""
    try:
        yield
    except pywintypes.error as error:
        raise OSError(0, error.strerror, str(path) if path else None, error.winerror) from error


def _text(sid: PySID) -> str:
    return win32security.ConvertSidToStringSid(sid)


def _sid(text: str) -> PySID:
    return win32security.ConvertStringSidToSid(text)


def _dacl(path: Path) -> PyACL | None:
    descriptor = win32security.GetNamedSecurityInfo(
        str(path), win32security.SE_FILE_OBJECT, win32security.DACL_SECURITY_INFORMATION
    )
    return descriptor.GetSecurityDescriptorDacl()


def _allow(dacl: PyACL, path: Path, sid: str) -> None:
    inherit = win32con.OBJECT_INHERIT_ACE | win32con.CONTAINER_INHERIT_ACE if path.is_dir() else 0
    dacl.AddAccessAllowedAceEx(win32security.ACL_REVISION, inherit, ntsecuritycon.FILE_ALL_ACCESS, _sid(sid))


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
