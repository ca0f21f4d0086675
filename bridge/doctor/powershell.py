"""The machine's PowerShell: its bits, version, policy and language mode."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.doctor.findings import FindTester
from bridge.errors import BeaconError, BridgeError
from bridge.model import EngineFacts, Finding

LEAST_POWERSHELL = (5, 1)  # docs.flexera.com/fnms/EN/InvAdapConn/adapters/Office365/concepts/M365Prereqs.html

_POLICIES = frozenset({"RemoteSigned", "Unrestricted", "Bypass"})  # under which a reader's script is loaded


def findings(find_tester: FindTester) -> Iterator[Finding]:
    """Yield what this PowerShell says of itself."""
    try:
        facts = find_tester().probe()
    except BridgeError as error:
        yield Finding.of("PowerShell", error)
        return
    yield _bits_finding(facts)
    yield _version(facts)
    yield _policy(facts)
    yield _language(facts)


def _bits_finding(facts: EngineFacts) -> Finding:
    text = f"{facts.executable}, {facts.bits.inside}-bit inside"
    if facts.development:
        fix = "Run beacon-bridge on the beacon, where Windows has a 32-bit PowerShell."
        return Finding("PowerShell", "warn", f"{text}: for development only, no beacon runs it", fix)
    return Finding("PowerShell", "ok", text)


def _version(facts: EngineFacts) -> Finding:
    text = f"version {facts.version} {facts.edition}"
    numbers = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    if numbers >= LEAST_POWERSHELL:
        return Finding("PowerShell", "ok", text)
    fix = "Install Windows Management Framework 5.1."
    return Finding("PowerShell", "fail", f"{text}, expected 5.1 or later", fix, BeaconError.exit_code)


def _policy(facts: EngineFacts) -> Finding:
    text = f"execution policy {facts.execution_policy or 'unknown'}"
    effective, _, _scopes = facts.execution_policy.partition(" ")
    if effective in _POLICIES:
        return Finding("PowerShell", "ok", text)
    fix = "Set the execution policy to RemoteSigned; where a Group Policy sets it, there."
    return Finding("PowerShell", "fail", f"{text}: readers need RemoteSigned", fix, BeaconError.exit_code)


def _language(facts: EngineFacts) -> Finding:
    text = f"language mode {facts.language_mode or 'unknown'}"
    if facts.language_mode == "FullLanguage":
        return Finding("PowerShell", "ok", text)
    fix = "Allow bridge's ps_scripts folder and the reader folders in the application control policy."
    return Finding("PowerShell", "fail", f"{text}: readers need FullLanguage", fix, BeaconError.exit_code)
