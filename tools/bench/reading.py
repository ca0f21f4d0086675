"""P4: what reading a tenant natively costs, beside PowerShell, a bare loop over the same pages, and the SDK.

The tenant is served by a process of its own. CPU seconds count the client's whole process tree.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tools.bench import measure
from tools.bench.measure import Figure

CHILD = "tools.bench.readers"
PAGE_WAIT = 50  # milliseconds
WARM = 100  # users of the small run whose cost, that of starting, is taken off where users are compared
SDK = "msgraph-sdk is not installed: pip install -e '.[bench]'"


def figures(folder: Path, users: int, sdk_users: int, count: int) -> list[Figure]:
    """Return P4: CPU against PowerShell, the bare loop and the SDK; wall time against the waiting alone."""
    folder.mkdir(parents=True)
    with served(users, PAGE_WAIT) as place, served(WARM, 0) as small:
        jobs: dict[str, Callable[[], float]] = {
            "native": partial(_cpu, "native", folder, place),
            "native few": partial(_cpu, "native", folder, small),
            "loop": partial(_cpu, "loop", folder, place),
        }
        if shutil.which("pwsh"):
            jobs["powershell"] = partial(_cpu, "powershell", folder, place)
        found = measure.rounds(count, jobs)
        walls = tuple(_wall(folder, place, users) for _ in range(count))
    per_user = tuple((one["native"] - one["native few"]) / (users - WARM) for one in found)
    what = f"CPU, native, {users:,} users, {PAGE_WAIT} ms a page"
    return [
        _against_powershell(what, found),
        Figure("P4b", f"{what} / a bare loop", measure.ratios(found, "native", "loop"), target=2.5),
        _against_sdk(folder, per_user, sdk_users),
        Figure("P4w", "wall time / the longest entity's waiting alone", walls, target=1.15),
    ]


def memory(folder: Path, users: int, count: int) -> list[Figure]:
    """Return P4m: the native engine's peak memory, with msal and requests loaded."""
    folder.mkdir(parents=True)
    with served(users, 0) as place:
        values = tuple(
            measure.peak_megabytes(measure.python(CHILD, "native", folder, *place)) for _ in range(count)
        )
    return [Figure("P4m", f"memory of the native engine, {users:,} users", values, unit="MB", target=64.0)]


def _against_powershell(what: str, found: list[dict[str, float]]) -> Figure:
    name = f"{what} / PowerShell"
    if "powershell" not in found[0]:
        return Figure("P4a", name, (), target=1 / 6, skipped="pwsh is not on PATH")
    return Figure("P4a", name, measure.ratios(found, "native", "powershell"), target=1 / 6)


def _against_sdk(folder: Path, per_user: tuple[float, ...], users: int) -> Figure:
    name = f"CPU a user, native / msgraph-sdk ({users:,} users)"
    if importlib.util.find_spec("msgraph") is None:
        return Figure("P4s", name, (), target=1 / 50, skipped=SDK)
    with served(users, 0) as place, served(WARM, 0) as small:
        cost = (_cpu("sdk", folder, place) - _cpu("sdk", folder, small)) / (users - WARM)
    return Figure("P4s", name, tuple(one / cost for one in per_user), target=1 / 50)


def _cpu(job: str, folder: Path, place: tuple[str, str]) -> float:
    return measure.cpu(measure.python(CHILD, job, folder, *place))


def _wall(folder: Path, place: tuple[str, str], users: int) -> float:
    """Return how long the reading took, beside the waits of the entity that has the most pages."""
    said: Mapping[str, float] = json.loads(
        measure.run(measure.python(CHILD, "native", folder, *place)).splitlines()[-1]
    )
    return said["seconds"] / (said["pages"] * PAGE_WAIT / 1000)


@contextmanager
def served(users: int, wait: int) -> Iterator[tuple[str, str]]:
    """Serve a tenant from a process of its own until the block ends; yields its root and token."""
    command = [sys.executable, "-m", "tools.tenant", "--users", str(users), "--page-wait", str(wait)]
    with subprocess.Popen(
        command, cwd=measure.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise SystemExit("the tenant has no pipes")
        try:
            said = json.loads(process.stdout.readline())
            yield said["root"], said["token"]
        finally:
            process.stdin.close()
            process.wait(timeout=30)
