"""Who may look into a folder or a file."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from bridge.errors import SettingsError
from bridge.system.files import flush, replace, write_whole

# learn.microsoft.com/windows-server/identity/ad-ds/manage/understand-security-identifiers
ADMINISTRATORS, SYSTEM = "S-1-5-32-544", "S-1-5-18"
_ADMITTED = ".admitted"  # SIDs that a private folder was made for or that were let in; only they can write it


class Rights(Protocol):
    """Makes what others are kept out of, and tells who is not."""

    def make_private_folder(self, folder: Path) -> None:
        """Create a folder for Administrators, SYSTEM and the running account.

        It appears with its rights or not at all; one that exists, or that another process makes meanwhile,
        stays as it is.
        """
        ...

    def admit(self, folder: Path, account: str) -> None:
        """Let a further account into a private folder; SettingsError if there is none, or that is refused.

        Only Windows knows further accounts: elsewhere every account but the running one is refused.
        """
        ...

    def admitted(self, folder: Path) -> tuple[str, ...]:
        """Return the accounts that a private folder was made for, or that were let in."""
        ...

    def reader(self, account: str | None) -> str | None:
        """Return which account needs rights besides Administrators and SYSTEM: the named one, if one is.

        Otherwise the running one, unless it acts as an administrator or rights are not given to accounts.
        """
        ...

    def write_private(self, path: Path, content: bytes, account: str | None = None) -> None:
        """Write a file that appears whole or not at all, for Administrators, SYSTEM and ``reader(account)``.

        The rights are set before there is anything to read. Raises SettingsError for an unknown account.
        """
        ...

    def strangers(self, path: Path, account: str | None = None) -> tuple[str, ...]:
        """Return who else may look into a folder or file; ``account`` is a further one that may.

        Accounts on Windows; ``its owner``, ``group`` and ``others`` elsewhere.
        """
        ...


class Modes:
    """The rights of POSIX: a file is its owner's."""

    def make_private_folder(self, folder: Path) -> None:
        """Create a folder with the mode 0700."""
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)

    def admit(self, folder: Path, account: str) -> None:
        """Refuse a further account."""
        raise SettingsError(
            f"Rights for the account {account!r} can be given on Windows only.",
            hint="Run the command as that account.",
        )

    def admitted(self, folder: Path) -> tuple[str, ...]:
        """Return nobody."""
        return ()

    def reader(self, account: str | None) -> str | None:
        """Return the named account."""
        return account

    def write_private(self, path: Path, content: bytes, account: str | None = None) -> None:
        """Write a file with the mode 0600."""
        if account:
            self.admit(path.parent, account)
        _write(path, content, lambda _: None)

    def strangers(self, path: Path, account: str | None = None) -> tuple[str, ...]:
        """Return whom the mode lets in."""
        found = path.stat()
        modes = (("group", stat.S_IRWXG), ("others", stat.S_IRWXO))
        others = [name for name, bits in modes if found.st_mode & bits]
        if sys.platform != "win32" and found.st_uid not in {0, os.geteuid()}:
            others.insert(0, f"its owner (user {found.st_uid})")
        return tuple(others)


class Lists(Protocol):
    """Accounts and the lists of who may do what with a file. Accounts are SIDs, errors OSError."""

    def running(self) -> str:
        """Return the running account."""
        ...

    def is_member(self, sid: str) -> bool:
        """Return whether this process acts for a group."""
        ...

    def sid(self, account: str) -> str:
        """Return an account of a name; LookupError if there is none."""
        ...

    def name(self, sid: str) -> str:
        """Return an account's name; the SID itself if the account is gone."""
        ...

    def allowed(self, path: Path) -> tuple[str, ...] | None:
        """Return who is allowed something; None if everybody is allowed everything."""
        ...

    def restrict(self, path: Path, sids: Sequence[str]) -> None:
        """Allow these everything and nobody else anything."""
        ...

    def add(self, path: Path, sid: str) -> None:
        """Allow one more account everything."""
        ...


class Accounts:
    """The rights of Windows: a file has a list of accounts."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists

    def make_private_folder(self, folder: Path) -> None:
        """Create a folder elsewhere, restrict it, and move it to its place."""
        if folder.exists():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            running = self._lists.running()
            self._lists.restrict(part, _once(ADMINISTRATORS, SYSTEM, running))
            write_whole(part / _ADMITTED, running.encode())
            part.rename(folder)
        except BaseException as error:
            (part / _ADMITTED).unlink(missing_ok=True)
            part.rmdir()
            if not (isinstance(error, OSError) and folder.is_dir()):  # another process made it
                raise

    def admit(self, folder: Path, account: str) -> None:
        """Add an account to the folder's list."""
        sid = self._sid(account)
        try:
            if sid not in (self._lists.allowed(folder) or (sid,)):
                self._lists.add(folder, sid)
            if sid not in self._noted(folder):
                write_whole(folder / _ADMITTED, "\n".join([*self._noted(folder), sid]).encode())
        except OSError as error:
            raise SettingsError(
                f"{account} cannot be let into {folder}: {error.strerror or error}.",
                hint="Run the command in a terminal that was opened as administrator.",
            ) from error

    def admitted(self, folder: Path) -> tuple[str, ...]:
        """Return the noted accounts."""
        return tuple(map(self._lists.name, self._noted(folder)))

    def reader(self, account: str | None) -> str | None:
        """Return the named account, or the running one if Administrators does not stand for it."""
        if account or self._lists.is_member(ADMINISTRATORS):
            return account
        return self._lists.name(self._lists.running())

    def write_private(self, path: Path, content: bytes, account: str | None = None) -> None:
        """Write a file with a list of its own."""
        reader = self.reader(account)
        own = _once(ADMINISTRATORS, SYSTEM, *([self._sid(reader)] if reader else []))
        _write(path, content, lambda part: self._lists.restrict(part, own))

    def strangers(self, path: Path, account: str | None = None) -> tuple[str, ...]:
        """Return the accounts of the list that are not among those of the folder or file."""
        allowed = self._lists.allowed(path)
        if allowed is None:
            return ("Everyone",)
        own = {ADMINISTRATORS, SYSTEM, self._lists.running(), *self._noted(path)}
        if account:
            own.add(self._sid(account))
        return tuple(self._lists.name(sid) for sid in _once(*allowed) if sid not in own)

    def _sid(self, account: str) -> str:
        try:
            return self._lists.sid(account)
        except LookupError as error:
            raise SettingsError(
                f"There is no account {account!r}.",
                hint=r"Write it as DOMAIN\NAME or MACHINE\NAME; a gMSA ends in $.",
            ) from error

    def _noted(self, folder: Path) -> tuple[str, ...]:
        note = folder / _ADMITTED
        return tuple(note.read_text("ascii").split()) if note.is_file() else ()


def _once(*sids: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sids))


def _write(path: Path, content: bytes, restrict: Callable[[Path], None]) -> None:
    """Write a file that appears whole, restricted before it has a content."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            restrict(part)
            file.write(content)
            flush(file)
        replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _of_this_system() -> Rights:
    if sys.platform == "win32":
        from bridge.system.windows import Windows  # noqa: PLC0415  # is there on Windows only

        return Accounts(Windows())
    return Modes()


RIGHTS = _of_this_system()
admit, make_private_folder, strangers = RIGHTS.admit, RIGHTS.make_private_folder, RIGHTS.strangers
