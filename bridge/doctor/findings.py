"""What a check's findings come to, and whom it asks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Protocol

from bridge.model import EngineFacts, Finding, Job, Tested


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
