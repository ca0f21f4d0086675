"""What the tests share: which PowerShell this machine has, and what is skipped without it."""

from __future__ import annotations

import shutil

import pytest


def find_powershell() -> str | None:
    """Return the PowerShell that tests run in: Windows PowerShell where there is one, else PowerShell 7."""
    return shutil.which("powershell.exe") or shutil.which("pwsh")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a real PowerShell on a machine that has none."""
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
