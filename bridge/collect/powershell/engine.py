"""The PowerShell engine: this machine's own PowerShell, 32-bit on Windows, runs the reader folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from bridge import system
from bridge.capture import PART, capture_paths
from bridge.collect.powershell import environment as child_environment
from bridge.collect.powershell import job as orders
from bridge.collect.powershell.account import Account, sentences
from bridge.collect.powershell.host import Host
from bridge.collect.powershell.watch import RIGHT_ONE, Watch, not_32
from bridge.errors import BeaconError, ReaderError
from bridge.model import Bits, Collected, EngineFacts, Job, Minutes, Owner, Reader, Say, Talk, Tested
from bridge.readers import retired
from bridge.web.route import ProxyLogin

_FOLDER = Path("WindowsPowerShell") / "v1.0" / "powershell.exe"
_PROBE = Minutes(step=0, run=2, silence=2)


# --- finding it ---


def find_powershell(environment: Mapping[str, str], *, windows: bool) -> Path:
    """Return the 32-bit Windows PowerShell, elsewhere the ``pwsh`` on PATH; BeaconError if there is none."""
    if not windows:
        found = shutil.which("pwsh", path=environment.get("PATH", ""))
        if found is None:
            raise BeaconError(
                "There is no PowerShell on this machine: pwsh is not on PATH.",
                hint='Install PowerShell 7, or set engine = "native" for our Microsoft 365 reader.',
            )
        return Path(found)
    root = Path(_first(environment, "SystemRoot", "windir") or r"C:\Windows")
    for place in (root / "SysWOW64" / _FOLDER, root / "System32" / _FOLDER):
        if place.is_file():
            return place
    raise BeaconError(
        f"There is no {RIGHT_ONE}.",
        hint="Add the Windows feature Windows PowerShell 5.1, with its 32-bit part.",
    )


def _first(environment: Mapping[str, str], *names: str) -> str | None:
    upper = {name.upper(): value for name, value in environment.items()}
    return next((upper[name.upper()] for name in names if upper.get(name.upper())), None)


# --- the engine ---


@dataclass(frozen=True)
class PowerShell:
    """Runs reader folders in one executable; with ``windows`` anything but 32 bits is refused, always.

    ``path_limit`` is how long a path may be for this PowerShell, None for no limit; ``login`` the proxy that
    asks for a password, None if it asks for none.
    """

    executable: Path
    environment: Mapping[str, str]
    windows: bool
    path_limit: int | None = None
    login: ProxyLogin | None = None

    def collect(self, job: Job, say: Say) -> Collected:
        """Run every step in order in one runspace; each leaves its capture, or a BridgeError is raised.

        Raises BeaconError (no 32 bits, a path too long), ReaderError (the reader threw, took too long, ended
        itself, was shown an empty world), ReaderOutputError (a row that is none), SettingsError (a pattern
        .NET does not take).
        """
        paths = {step.id: path for step, path in capture_paths(job)}
        self._refuse_long([*paths.values(), *job.reader.scripts])
        account = self._run(orders.of("collect", job, self.login), Account(job, say, paths), job.folder)
        retired.refuse_empty_world(job.reader.name, {one.step: one.rows for one in account.captures})
        return Collected(
            engine=self._facts(account),
            captures=tuple(account.captures),
            source_version=account.version,
            not_applicable=tuple(account.not_applicable),
        )

    def probe(self) -> EngineFacts:
        """Return what this PowerShell says of itself; BeaconError if it cannot run our host."""
        with tempfile.TemporaryDirectory(prefix="beacon-bridge-") as folder:
            job = Job("probe", _NOBODY, {}, Path(folder), _PROBE)
            return self._facts(self._run(orders.probe(), Account(job, _silent, {}), Path(folder)))

    def test(self, job: Job) -> Tested:
        """Run the reader's TestConnection and VersionCheck, each in a process of its own.

        Success is the returned ``OK`` and nothing else; what the reader does wrong is told, not raised.
        """
        with tempfile.TemporaryDirectory(prefix="beacon-bridge-") as folder:
            job = replace(job, folder=Path(folder))
            tested = Tested(ok=True)
            if job.reader.test is not None:
                tested = self._tested(job)
            if job.reader.version_check is None:
                return tested
            try:
                version = self._run(
                    orders.of("version", job, self.login), Account(job, _silent, {}), job.folder
                ).version
                return replace(tested, version=version)
            except ReaderError as error:
                return replace(tested, version_error=str(error))

    def _tested(self, job: Job) -> Tested:
        try:
            account = self._run(orders.of("test", job, self.login), Account(job, _silent, {}), job.folder)
        except ReaderError as error:
            return Tested(ok=False, error=str(error))
        if account.tested is None:
            return Tested(ok=False, error="the host said nothing of the test")
        facts = account.tested
        said = tuple(str(text) for text in facts["said"] or ())
        return Tested(ok=bool(facts["ok"]), said=said, error=sentences(facts["errors"] or ()))

    # --- one process ---

    def _run(self, order: orders.Order, account: Account, folder: Path) -> Account:
        self._prove_executable()
        host = Host(self._argv(), child_environment.of_child(self.environment), folder.resolve(), order)
        with host:
            Watch(host, order, account, only_32=self.windows).follow()
        return account

    def _argv(self) -> list[str]:
        script = Path(str(resources.files("bridge.ps_scripts"))) / "Invoke-Reader.ps1"
        options = ["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "RemoteSigned"]
        return [str(self.executable.absolute()), *options, "-File", str(script.absolute())]

    def _prove_executable(self) -> int | None:
        """Return the bits of the PE header, None if it is no PE file; on Windows only 32 will do."""
        try:
            machine = system.pe_machine(self.executable)
        except OSError as error:
            raise BeaconError(f"{self.executable} cannot be read: {error.strerror or error}.") from error
        bits = None if machine is None else system.PE_BITS.get(machine, 0)
        if self.windows and machine != system.PE_I386:
            shown = "no program" if machine is None else f"a {bits}-bit program (machine {machine:#06x})"
            raise not_32(f"{self.executable} is {shown}")
        return bits

    def _refuse_long(self, paths: list[Path]) -> None:
        longest = max((f"{path}{PART}" for path in paths), key=len)
        if self.path_limit is not None and len(longest) > self.path_limit:
            raise BeaconError(
                f"{longest} has {len(longest)} characters; Windows PowerShell takes {self.path_limit}.",
                hint="Set [bridge] state to a folder with a shorter path, such as D:\\bb.",
            )

    def _facts(self, account: Account) -> EngineFacts:
        hello = account.hello or {}
        return EngineFacts(
            name="powershell",
            bits=Bits(self._prove_executable(), int(hello["bits"])),
            executable=str(self.executable),
            version=str(hello["version"]),
            edition=str(hello["edition"]),
            development=not self.windows,
            language_mode=str(hello["language"]),
            execution_policy=f"{hello['policy']} ({hello['policies']})",
            culture=str(hello["culture"]),
        )


_NOBODY = Reader("probe", Path(), Owner.BRIDGE, (), (), None, None, (), {})


def _silent(_: Talk) -> None:
    """Say nothing."""
