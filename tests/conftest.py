"""What the tests share: which PowerShell this machine has, and what is skipped without it."""

from __future__ import annotations

import shutil

import pytest

# Fixtures of a module that take a PowerShell each: tests that share one share a worker, other tests need not.
SHARED = ("plain", "ours", "elsewhere", "thrown", "soft", "nasty", "facts", "dated")


def find_powershell() -> str | None:
    """Return the PowerShell that tests run in: Windows PowerShell where there is one, else PowerShell 7."""
    return shutil.which("powershell.exe") or shutil.which("pwsh")


@pytest.hookimpl(tryfirst=True)  # xdist looks at the groups in a hook of its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a PowerShell; skip what needs a real one on a machine that has none."""
    for item in items:
        taken = [name for name in SHARED if name in getattr(item, "fixturenames", ())]
        if taken:
            item.add_marker(pytest.mark.xdist_group(taken[0]))
    if find_powershell() is None:
        for item in items:
            if item.get_closest_marker("powershell"):
                item.add_marker(pytest.mark.skip(reason="no PowerShell (powershell.exe or pwsh) on PATH"))


@pytest.fixture
def powershell() -> str:
    """Return the path of this machine's PowerShell; only for tests marked ``powershell``."""
    found = find_powershell()
    assert found is not None, "a test that asks for PowerShell must be marked `powershell`"
    return found
