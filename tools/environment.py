"""The set-up that check.py and demo.py share: `.venv` in the checkout, with the project installed into it.

Standard library only, and written so that an old Python can read it far enough to say that it is too old.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)
HOW_TO_PIP = (
    "Its last lines above say why. Behind a proxy set HTTPS_PROXY, for an index of your own PIP_INDEX_URL, "
    "then start this command again."
)
HOW_TO_VENV = "On Debian and Ubuntu: apt install python3-venv. Then start this command again."


def enter() -> None:
    """Return inside `.venv`, which is made and filled where need be; else start this program again there."""
    if sys.version_info < OLDEST:
        found = platform.python_version()
        raise SystemExit(f"Python 3.11 or newer is needed; this is {found} ({sys.executable}).")
    home = ROOT / ".venv"
    if Path(sys.prefix).resolve() == home.resolve():
        return
    prepare(home)
    _restart(python_of(home))


def python_of(home: Path) -> Path:
    """Return the interpreter of an environment."""
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def prepare(home: Path) -> None:
    """Make the environment and install the project, unless both were done since the settings last changed."""
    stamp = home / "beacon-bridge.stamp"
    wanted = fingerprint()
    found = stamp.read_text("utf-8") if stamp.is_file() else ""
    if found == wanted and python_of(home).exists():
        return
    if not python_of(home).exists() or _python_line(found) != _python_line(wanted):
        _say(f"Making {home} with Python {platform.python_version()} ...")
        run([sys.executable, "-m", "venv", "--clear", str(home)], "could not make .venv", HOW_TO_VENV)
    _say("Installing the project and its tools into .venv (a minute or two the first time) ...")
    pip = [str(python_of(home)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip.append("--no-compile")  # most of it is never imported, the rest is compiled when it is
    run([*pip, "--editable", f"{ROOT}[dev]"], "pip could not install the project", HOW_TO_PIP)
    stamp.write_text(wanted, "utf-8")


def fingerprint(root: Path = ROOT) -> str:
    """Return what an environment depends on: the Python, the checkout's place, the two settings files."""
    digest = hashlib.sha256(str(root).encode())
    for name in ("setup.cfg", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return f"{platform.python_version()}\n{digest.hexdigest()}\n"


def _python_line(stamp: str) -> str:
    return stamp.partition("\n")[0]


def run(command: list[str], failure: str, hint: str) -> None:
    """Run a command in sight, or end with what failed and what to do about it."""
    if code := subprocess.run(command, check=False).returncode:
        raise SystemExit(f"{Path(command[0]).name} {failure} (exit code {code}). {hint}")


def _restart(python: Path) -> None:
    command = [str(python), *sys.argv]
    if os.name == "nt":  # exec on Windows gives the console back before the program has ended
        raise SystemExit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted


def tool(name: str) -> str:
    """Return the path of a command that is installed beside this interpreter."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise SystemExit(f"{name} is not in {sys.prefix}: remove .venv, then start this command again.")
    return found


def _say(text: str) -> None:
    print(text, flush=True)
