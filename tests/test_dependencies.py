"""What is installed: a reason for each in docs/dependencies.md, and a wheel for Windows at run time."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
WINDOWS = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "python_version": "3.11"}


def requirements(section: str, key: str) -> list[Requirement]:
    """Return a list of requirements as setup.cfg has it."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", "utf-8")
    lines = (line.partition("#")[0].strip() for line in settings[section][key].splitlines())
    return [Requirement(line) for line in lines if line]


RUN_TIME = requirements("options", "install_requires")
OPTIONAL = requirements("options.extras_require", "keyring")
DEVELOPMENT = [
    one
    for one in requirements("options.extras_require", "dev")
    if one.name not in {other.name for other in OPTIONAL}
]
BENCH = requirements("options.extras_require", "bench")


@pytest.mark.parametrize(
    "requirement", [*RUN_TIME, *OPTIONAL, *DEVELOPMENT, *BENCH], ids=lambda one: one.name
)
def test_each_dependency_has_its_reason(requirement: Requirement) -> None:
    """docs/dependencies.md has a row for every dependency, and the row says something."""
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    row = re.search(rf"^\| `{re.escape(requirement.name)}` \| (.+?) \|", page, re.MULTILINE)
    assert row
    assert len(row.group(1)) > 10


def test_the_page_names_no_dependency_that_is_gone() -> None:
    """Every row of docs/dependencies.md stands in setup.cfg."""
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    named = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    assert named == {one.name for one in (*RUN_TIME, *OPTIONAL, *DEVELOPMENT, *BENCH)}


# --- wheels for Windows ---


def resolve(wanted: list[str], folder: Path) -> list[dict[str, Any]]:
    """Return what pip would install on 64-bit Windows, wheels only, without downloading it all.

    pip judges markers by the Python it runs in, so what only Windows needs is asked for by `for_windows`.
    """
    report = folder / "report.json"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"]
    command += ["--only-binary=:all:", "--platform", "win_amd64", "--python-version", "3.11"]
    command += ["--target", str(folder / "nowhere"), "--report", str(report), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"no wheels for {wanted}: {done.stderr}")
    found: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))["install"]
    return found


def for_windows(metadata: dict[str, Any]) -> Iterator[Requirement]:
    """Yield what a distribution requires on Windows, extras left out."""
    for text in metadata.get("requires_dist", ()):
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({**WINDOWS, "extra": ""}):
            yield one


def plain(requirement: Requirement) -> str:
    """Return a requirement without its marker, as pip takes it."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def canonical(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub("[-_.]+", "-", name).lower()


def is_index_reachable(folder: Path) -> bool:
    """Return whether pip can get anything at all."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        "click",
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.network
def test_every_run_time_dependency_has_a_wheel_for_windows(tmp_path: Path) -> None:
    """Nothing needs a compiler on a beacon: each dependency, and each of theirs, has a win_amd64 wheel."""
    if not is_index_reachable(tmp_path):
        pytest.skip("no package index is reachable")
    found: dict[str, str] = {}
    wanted = {canonical(one.name): plain(one) for one in RUN_TIME}
    while wanted:
        needed: dict[str, str] = {}
        for item in resolve(list(wanted.values()), tmp_path):
            found[canonical(item["metadata"]["name"])] = item["download_info"]["url"]
            needed |= {canonical(one.name): plain(one) for one in for_windows(item["metadata"])}
        missing = {name for name in wanted if name not in found}
        assert not missing
        wanted = {name: text for name, text in needed.items() if name not in found}
    assert {"pywin32", "sspilib"} <= found.keys(), "what only Windows needs was asked for, too"
    assert all(re.search(r"-(win_amd64|any)\.whl$", url) for url in found.values())


def test_wheels_are_demanded(tmp_path: Path) -> None:
    """A distribution that has no wheel for Windows would be noticed."""
    (tmp_path / "links").mkdir()
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--only-binary=:all:"]
    command += ["--find-links", str(tmp_path / "links"), "--target", str(tmp_path / "x")]
    (tmp_path / "links" / "lonely-1.0-cp311-cp311-manylinux_2_28_x86_64.whl").write_bytes(b"")
    done = subprocess.run(
        [*command, "--platform", "win_amd64", "--python-version", "3.11", "lonely"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "No matching distribution" in done.stderr
