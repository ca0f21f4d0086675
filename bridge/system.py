"""The one module that knows the operating system: files, process trees, registry, rights, clock."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

import platformdirs
import psutil
import tenacity

WINDOWS = sys.platform == "win32"
PE_I386 = 0x014C  # IMAGE_FILE_MACHINE_I386, learn.microsoft.com/windows/win32/debug/pe-format
PE_BITS = {PE_I386: 32, 0x8664: 64, 0xAA64: 64, 0x01C4: 32}

if sys.platform == "win32":
    import winreg

    import ntsecuritycon
    import win32api
    import win32con
    import win32job
    import win32security


# --- the clock ---


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """Return ``2026-11-22T08:15:30Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stopwatch() -> float:
    """Return seconds of a clock that never jumps."""
    return time.monotonic()


# --- files ---

_SHARING_VIOLATIONS = {5, 32, 33}  # ERROR_ACCESS_DENIED, _SHARING_VIOLATION, _LOCK_VIOLATION


def _is_sharing_violation(error: BaseException) -> bool:
    return isinstance(error, OSError) and getattr(error, "winerror", None) in _SHARING_VIOLATIONS


@tenacity.retry(
    retry=tenacity.retry_if_exception(_is_sharing_violation),
    stop=tenacity.stop_after_delay(2),
    wait=tenacity.wait_fixed(0.05),
    reraise=True,
)
def replace(source: Path, target: Path) -> None:
    """Move a file to its place on the same volume; a sharing violation is retried for two seconds."""
    source.replace(target)
    flush_folder(target.parent)


def is_broken_pipe(error: OSError) -> bool:
    """Return whether a write failed because nobody reads the pipe any more; Windows says EINVAL."""
    return isinstance(error, BrokenPipeError) or (WINDOWS and error.errno == errno.EINVAL)


def flush(file: IO[Any]) -> None:
    """Bring a file's bytes to the disk."""
    file.flush()
    os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the operating system wants to be asked."""
    if WINDOWS:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(content)
        flush(file)
    replace(part, path)


def free_bytes(folder: Path) -> int:
    """Return the free space of the volume that holds the folder, or its nearest parent that exists.

    OSError if there is none: a drive that is not there.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def pe_machine(path: Path) -> int | None:
    """Return the machine field of an executable's PE header, None when it is no PE file."""
    with path.open("rb") as file:
        head = file.read(0x40)
        if len(head) < 0x40 or head[:2] != b"MZ":
            return None
        (offset,) = struct.unpack_from("<I", head, 0x3C)
        file.seek(offset)
        signature = file.read(6)
    if len(signature) < 6 or signature[:4] != b"PE\0\0":
        return None
    (machine,) = struct.unpack_from("<H", signature, 4)
    return int(machine)


def path_length_limit() -> int | None:
    """Return how many characters a path may have for Windows PowerShell 5.1; None: no such limit here."""
    return 240 if WINDOWS else None


def default_state() -> Path:
    """Return where state lies by default: ProgramData, elsewhere the user's state folder."""
    if WINDOWS:
        return program_data() / "beacon-bridge"
    return platformdirs.user_state_path("beacon-bridge")


def program_data() -> Path:
    """Return the known folder ProgramData; elsewhere the folder that comes nearest."""
    return platformdirs.site_data_path()


# --- rights ---


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


# --- the registry ---


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


# --- process trees ---


class Child:
    """A child process whose whole tree ends with it, and with us on Windows.

    On Windows the tree is a job object that the system closes when the last handle to it goes, so it ends
    with us however we end. Elsewhere it is a session of its own.
    """

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self._job: Any = None
        flags: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            self._job = _kill_on_close_job()
            flags = {
                "creationflags": subprocess.CREATE_NO_WINDOW
                | subprocess.CREATE_NEW_PROCESS_GROUP
                | win32con.CREATE_SUSPENDED
            }
        self.process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            bufsize=0,
            **flags,
        )
        if sys.platform == "win32":
            win32job.AssignProcessToJobObject(self._job, int(self.process._handle))  # type: ignore[attr-defined]  # the only handle Popen has
            psutil.Process(self.process.pid).resume()

    def kill_tree(self) -> None:
        """End the process and everything it started; calling it again does no harm."""
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                win32job.TerminateJobObject(self._job, 1)
        else:
            for process in _descendants(self.process.pid):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def own_process() -> tuple[int, float]:
    """Return this process's id and start, which together are never used twice."""
    process = psutil.Process()
    return process.pid, process.create_time()


def is_alive(pid: int, started: float) -> bool:
    """Return whether the process with that id and start still runs."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # there is one, and it is not ours to look at
        return True


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


if sys.platform == "win32":

    def _kill_on_close_job() -> object:
        # The stubs say that it returns nothing; it returns a PyHANDLE.
        job: Any = win32job.CreateJobObject(None, "")  # type: ignore[func-returns-value]  # see above
        limits = win32job.QueryInformationJobObject(job, win32job.JobObjectExtendedLimitInformation)
        limits["BasicLimitInformation"]["LimitFlags"] |= win32job.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
        win32job.SetInformationJobObject(job, win32job.JobObjectExtendedLimitInformation, limits)
        return job
