"""What a check says: one finding a prerequisite, with its fix."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, Protocol

from bridge.errors import BridgeError
from bridge.model import EngineFacts, Job, Tested


@dataclass(frozen=True, slots=True)
class Finding:
    """One prerequisite: its topic, how it stands, what was found, how to mend it."""

    topic: str
    level: Literal["ok", "info", "warn", "fail"]
    text: str
    fix: str = ""
    exit_code: int = 0

    @classmethod
    def of(cls, topic: str, error: BridgeError) -> Finding:
        """Return the finding that an error is."""
        return cls(topic, "fail", str(error), error.hint, error.exit_code)

    @property
    def line(self) -> str:
        """The finding on one line."""
        fix = f". Fix: {self.fix}" if self.fix else ""
        text = " ".join(self.text.split()).rstrip(".")
        return f"{self.level:<4}  {self.topic}: {text}{fix}"


def as_json(finding: Finding) -> dict[str, object]:
    """Return a finding as `--json` shows it: topic, level, text, fix, exit_code."""
    return asdict(finding)


def exit_code(findings: list[Finding]) -> int:
    """Return the exit code of the first finding that fails, 0 if none does."""
    return next((one.exit_code for one in findings if one.level == "fail"), 0)


class Tester(Protocol):
    """A PowerShell that can be asked about itself and can run a reader's own tests."""

    def probe(self) -> EngineFacts:
        """Return what this PowerShell says of itself; BeaconError if it cannot run our host."""
        ...

    def test(self, job: Job) -> Tested:
        """Run TestConnection and VersionCheck, each in a process and a folder of its own."""
        ...


class FindTester(Protocol):
    """Finds the machine's PowerShell."""

    def __call__(self) -> Tester:
        """Return it, or raise BeaconError."""
        ...
