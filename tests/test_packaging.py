"""The wheel: what travels in it, and that it works in a fresh environment away from the checkout."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge import beacon
from bridge.capture import CaptureWriter, Header
from bridge.model import Owner
from bridge.readers import folder
from bridge.sqltypes import TEXTS

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("wheel")]  # one worker builds it, once
ROOT = Path(__file__).parents[1]
SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "bridge", "ps_scripts", "importprocedures")


def run(command: Sequence[str | Path], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command away from the checkout, or fail with what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the sources, so that nothing is left behind in the checkout."""
    place = tmp_path_factory.mktemp("build")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", place, "setuptools>=77"]
    if subprocess.run(list(map(str, command)), capture_output=True, check=False).returncode:
        pytest.skip("no package index is reachable")
    for name in SOURCES:
        source, target = ROOT / name, place / "sources" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
    run([sys.executable, "-m", "build", "--wheel", "--outdir", place / "dist", place / "sources"], place)
    (built,) = (place / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_the_scripts_and_the_reader_folders(wheel: Path) -> None:
    """Every script, definition and schema of the checkout lies in the wheel, below `bridge`."""
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    kinds = {".ps1", ".xml", ".xsd", ".config"}
    for name in ("ps_scripts", "importprocedures"):
        travelling = [path for path in (ROOT / name).rglob("*") if path.suffix in kinds]
        assert travelling
        assert {f"bridge/{path.relative_to(ROOT).as_posix()}" for path in travelling} <= held
    assert "bridge/py.typed" in held


def test_every_package_of_the_house_is_listed() -> None:
    """setup.cfg names each folder of modules and no other: a missing one would not travel."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", "utf-8")
    listed = set(settings["options"]["packages"].split()) - {"bridge.ps_scripts", "bridge.importprocedures"}
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "bridge").rglob("__init__.py")}
    assert listed == {".".join(path.parts) for path in folders}


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    """Tests and tools stay at home: everything in the wheel is `bridge` and its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bridge"}


def test_an_installed_wheel_converts(wheel: Path, tmp_path: Path) -> None:
    """In a fresh environment the command makes a package by hand from captures, and verifies it."""
    home = tmp_path / "environment"
    run([sys.executable, "-m", "venv", home], tmp_path)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    run([programs / "python", "-m", "pip", "install", "--quiet", "--no-compile", wheel], tmp_path)
    state = tmp_path / "state"
    config = tmp_path / "bridge.toml"
    config.write_text(f"[bridge]\nstate = {json.dumps(str(state))}\n", "utf-8")
    files = write_captures(tmp_path)

    shared: list[str | Path] = ["--json", "--config", config]
    bridge = programs / "beacon-bridge"
    convert = [bridge, "convert", "--reader", "bridge:Microsoft 365", *files, *shared]
    made = json.loads(run(convert, tmp_path).stdout)
    where = run([programs / "python", "-c", "import bridge; print(bridge.__file__)"], tmp_path).stdout
    verified = json.loads(run([bridge, "verify", made["package_path"], *shared], tmp_path).stdout)

    assert where.startswith(str(home.resolve())), "the wheel's bridge ran, not the checkout's"
    assert verified["origin"] == "by-hand"
    assert [table["rows"] for table in verified["tables"]] == [2] * len(files)


def write_captures(place: Path) -> list[str]:
    """Write a capture of two rows for each step of our reader, and return STEP=FILE for each."""
    reader = folder.load(beacon.shipped() / "Inventory" / "Reader" / "Microsoft 365", Owner.BRIDGE)
    words = []
    for number, step in enumerate(reader.to_collect, start=1):
        header = Header(
            reader=reader.name,
            owner=reader.owner.value,
            reader_sha256=reader.sha256,
            file=step.file,
            procedure=step.procedure,
            step=step.name,
            table=step.table,
            columns=step.columns,
            engine="powershell",
            bits="32",
            version="5.1",
            start="2026-11-22T08:15:30Z",
        )
        with CaptureWriter(place / f"{number:03}.xml", header) as capture:
            for text in ("Łukasz & Søren", "two"):
                capture.write(
                    [text[: column.length] if column.type in TEXTS else None for column in step.columns]
                )
            capture.finish()
        words.append(f"{step.id}={place / f'{number:03}.xml'}")
    return words
