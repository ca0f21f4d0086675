"""Who may read what on Windows: a folder of secrets, a stored secret, the state folder."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import ModuleType

import pytest

from bridge import system
from bridge.errors import SettingsError
from bridge.model import Secret
from bridge.secrets.store import Store
from bridge.system.rights import ADMINISTRATORS, SYSTEM, Accounts

BOB, ALICE, GMSA = "S-1-5-21-1-1001", "S-1-5-21-1-1002", "S-1-5-21-1-1003"
NAMES = {
    ADMINISTRATORS: r"BUILTIN\Administrators",
    SYSTEM: r"NT AUTHORITY\SYSTEM",
    BOB: r"PC\bob",
    ALICE: r"PC\alice",
    GMSA: r"CONTOSO\beacon$",
}


@dataclass
class Machine:
    """Obeys Lists: a machine of several accounts, as one of which the process runs."""

    who: str = BOB
    administrators: set[str] = field(default_factory=lambda: {BOB, ALICE, SYSTEM})
    lists: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)
    refuses: OSError | None = None
    seen: list[bool] = field(default_factory=list)
    watched: Path | None = None

    def running(self) -> str:
        """Return who runs."""
        return self.who

    def is_member(self, sid: str) -> bool:
        """Return whether the running account is an administrator."""
        assert sid == ADMINISTRATORS
        return self.who in self.administrators

    def sid(self, account: str) -> str:
        """Return the account of a name, with its domain or without."""
        found = [sid for sid, name in NAMES.items() if account in {name, name.rpartition("\\")[2]}]
        if not found:
            raise LookupError(account)
        return found[0]

    def name(self, sid: str) -> str:
        """Return a name."""
        return NAMES.get(sid, sid)

    def allowed(self, path: Path) -> tuple[str, ...] | None:
        """Return who is in the list of a file, wherever it was moved."""
        return self.lists.get(self._key(path), ("S-1-1-0",))

    def restrict(self, path: Path, sids: Sequence[str]) -> None:
        """Set a list."""
        if self.refuses:
            raise self.refuses
        if self.watched:
            self.seen.append(self.watched.exists())
        self.lists[self._key(path)] = tuple(sids)

    def add(self, path: Path, sid: str) -> None:
        """Add to a list."""
        self.restrict(path, (*(self.allowed(path) or ()), sid))

    def _key(self, path: Path) -> tuple[int, int]:
        found = path.stat()
        return found.st_dev, found.st_ino


def store(folder: Path, machine: Machine) -> Store:
    """Return the store of that machine."""
    return Store(folder / "state" / "secrets", system.FileVault(), patience=0.2, rights=Accounts(machine))


def rights_of(machine: Machine, file: Path) -> set[str]:
    """Return who is in the list of a file."""
    return set(machine.allowed(file) or ())


# --- a stored secret ---


@pytest.mark.parametrize("later", [SYSTEM, ALICE, BOB])
def test_an_administrators_secret_is_every_administrators(tmp_path: Path, later: str) -> None:
    """Stored without --for it is for Administrators and SYSTEM: a task of SYSTEM uses it, others list it."""
    machine = Machine()
    store(tmp_path, machine).put("app", Secret("x"))
    assert rights_of(machine, tmp_path / "state" / "secrets" / "app.json") == {ADMINISTRATORS, SYSTEM}
    machine.who = later
    assert store(tmp_path, machine).get("app") == Secret("x")
    assert store(tmp_path, machine).entry("app").account is None


def test_whoever_is_no_administrator_keeps_the_own_secret(tmp_path: Path) -> None:
    """The account is recorded, so that SYSTEM, too, knows that it may read the file."""
    machine = Machine(administrators={ALICE, SYSTEM})
    store(tmp_path, machine).put("app", Secret("x"))
    assert rights_of(machine, tmp_path / "state" / "secrets" / "app.json") == {ADMINISTRATORS, SYSTEM, BOB}
    for machine.who in (BOB, SYSTEM, ALICE):
        assert store(tmp_path, machine).get("app") == Secret("x")
        assert store(tmp_path, machine).entry("app").account == r"PC\bob"


@pytest.mark.parametrize("account", [r"CONTOSO\beacon$", "SYSTEM"])
def test_the_named_account_and_nobody_else(tmp_path: Path, account: str) -> None:
    """With --for the running account has no rights of its own; a renewed value keeps them."""
    machine = Machine()
    store(tmp_path, machine).put("app", Secret("x"), account=account)
    expected = {ADMINISTRATORS, SYSTEM, machine.sid(account)}
    assert rights_of(machine, tmp_path / "state" / "secrets" / "app.json") == expected
    machine.who = machine.sid(account)
    assert store(tmp_path, machine).replace_if("app", Secret("x"), Secret("y"))
    assert rights_of(machine, tmp_path / "state" / "secrets" / "app.json") == expected
    machine.who = ALICE
    assert store(tmp_path, machine).get("app") == Secret("y")


def test_a_stranger_whose_account_is_gone(tmp_path: Path) -> None:
    """Who else can read a secret is named; of a deleted account the SID is."""
    machine = Machine()
    store(tmp_path, machine).put("app", Secret("x"))
    machine.add(tmp_path / "state" / "secrets" / "app.json", GMSA)
    machine.add(tmp_path / "state" / "secrets" / "app.json", "S-1-5-21-1-9")
    with pytest.raises(SettingsError, match=r"can be read by CONTOSO\\beacon\$, S-1-5-21-1-9\."):
        store(tmp_path, machine).get("app")


# --- a private folder ---


def test_who_was_let_in_is_no_stranger(tmp_path: Path) -> None:
    """Whoever made a folder or was let in is none for anybody; whoever came in otherwise is."""
    machine = Machine()
    rights, folder = Accounts(machine), tmp_path / "state"
    rights.make_private_folder(folder)
    rights.admit(folder, r"CONTOSO\beacon$")
    rights.admit(folder, r"CONTOSO\beacon$")
    for machine.who in (BOB, SYSTEM, GMSA):
        assert rights.strangers(folder) == ()
        assert rights.admitted(folder) == (r"PC\bob", r"CONTOSO\beacon$")
    machine.add(folder, ALICE)
    assert rights.strangers(folder) == (r"PC\alice",)


def test_an_account_that_cannot_be_let_in(tmp_path: Path) -> None:
    """Windows refuses it without elevation, and knows no such account: both are said."""
    machine = Machine()
    rights, folder = Accounts(machine), tmp_path / "state"
    rights.make_private_folder(folder)
    machine.refuses = PermissionError(13, "Access is denied")
    with pytest.raises(
        SettingsError, match=r"PC\\alice cannot be let into .*: Access is denied\."
    ) as refused:
        rights.admit(folder, r"PC\alice")
    assert "as administrator" in refused.value.hint
    with pytest.raises(SettingsError, match="There is no account 'nobody'"):
        rights.admit(folder, "nobody")


def test_a_folder_appears_with_its_rights(tmp_path: Path) -> None:
    """There is no moment in which it is there without them; where they are refused, there is nothing."""
    machine = Machine(watched=tmp_path / "state")
    machine.refuses = PermissionError(13, "Access is denied")
    with pytest.raises(PermissionError):
        Accounts(machine).make_private_folder(tmp_path / "state")
    assert list(tmp_path.iterdir()) == []
    machine.refuses = None
    Accounts(machine).make_private_folder(tmp_path / "state")
    assert machine.seen == [False]
    assert rights_of(machine, tmp_path / "state") == {ADMINISTRATORS, SYSTEM, BOB}


def make(windows: bool, folder: Path, rounds: int, start: Barrier) -> None:
    """Make folders, each at the same moment as the other processes."""
    rights = Accounts(Machine()) if windows else system.RIGHTS
    for number in range(rounds):
        start.wait(30)
        rights.make_private_folder(folder / str(number) / "state")


@pytest.mark.parametrize("windows", [False, True])
def test_two_processes_make_one_folder(tmp_path: Path, windows: bool) -> None:
    """Both go on, whoever was first, and nothing else is left."""
    context = multiprocessing.get_context("spawn")
    start, rounds = context.Barrier(2), 150
    pair = [context.Process(target=make, args=(windows, tmp_path, rounds, start)) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(60)
    assert [process.exitcode for process in pair] == [0, 0]
    assert {one.name for folder in tmp_path.iterdir() for one in folder.iterdir()} == {"state"}
    assert len(list(tmp_path.iterdir())) == rounds


# --- pywin32 ---


class Failure(Exception):
    """Pywin32's error, which is no OSError."""

    def __init__(self, winerror: int, funcname: str, strerror: str) -> None:
        super().__init__(winerror, funcname, strerror)
        self.winerror, self.funcname, self.strerror = winerror, funcname, strerror


@contextmanager
def pywin32(failure: Failure) -> Iterator[None]:
    """Have a pywin32 whose every call fails."""

    def fail(*_: object) -> None:
        raise failure

    class Module(ModuleType):
        def __getattr__(self, name: str) -> object:
            return 1 if name.isupper() or name.startswith("Token") else fail if name[0].isupper() else None

    names = ("ntsecuritycon", "pywintypes", "win32api", "win32con", "win32security")
    earlier = {name: sys.modules.pop(name, None) for name in (*names, "bridge.system.windows")}
    sys.modules.update({name: Module(name) for name in names})
    sys.modules["pywintypes"].error = Failure  # type: ignore[attr-defined]  # as pywin32 has it
    sys.modules["win32security"].ACL = list  # type: ignore[attr-defined]  # works
    sys.modules["win32security"].ConvertStringSidToSid = str  # type: ignore[attr-defined]  # works
    try:
        yield
    finally:
        for name, module in earlier.items():
            sys.modules.pop(name)
            if module:
                sys.modules[name] = module


def test_an_error_of_pywin32_has_a_name(tmp_path: Path) -> None:
    """What Windows refuses is an OSError with its words and the path; an account that is gone is its SID."""
    with pywin32(Failure(5, "SetNamedSecurityInfo", "Access is denied.")):
        from bridge.system.windows import Windows

        windows = Windows()
        for attempt in (windows.running, lambda: windows.is_member(SYSTEM)):
            with pytest.raises(OSError, match="Access is denied"):
                attempt()
        for touch in (windows.allowed, lambda path: windows.add(path, BOB)):
            with pytest.raises(OSError, match="Access is denied") as refused:
                touch(tmp_path)
            assert refused.value.filename == str(tmp_path)
        with pytest.raises(OSError, match="Access is denied"):
            windows.restrict(tmp_path, [])
        assert windows.name(GMSA) == GMSA
        with pytest.raises(LookupError):
            windows.sid("nobody")
