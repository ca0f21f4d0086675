"""A reader's scripts: are they marked as downloaded, and are the modules there that they import?"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

from bridge.doctor.windows import Facts
from bridge.errors import BeaconError
from bridge.model import Finding, Reader
from bridge.readers import retired

_INTERNET = 3  # URLZONE_INTERNET; RemoteSigned refuses an unsigned script of this zone and above
_NAME = r"""['"]?([A-Za-z][\w.-]*)"""
_REQUIRES = re.compile(r"(?im)^[ \t]*#requires\b.*?-modules?[ \t]+(.+)$")
_IMPORT = re.compile(rf"(?im)^[^#\n]*?\b(?:import-module|ipmo)[ \t]+(?:-name[ \t]+)?{_NAME}")
_HASHTABLE = re.compile(rf"(?i)@\{{[^}}]*?modulename[ \t]*=[ \t]*{_NAME}[^}}]*\}}")


def findings(reader: Reader, facts: Facts) -> Iterator[Finding]:
    """Yield what stands in the way of a reader's scripts, and of bridge's own."""
    yield _marks([*sorted(reader.folder.glob("*.ps1")), *facts.own_scripts], facts)
    yield from _modules(reader, facts)


def _marks(scripts: list[Path], facts: Facts) -> Finding:
    """Return which scripts came from the internet, as Windows remembers it."""
    marked = [path for path in scripts if (facts.zone(path) or 0) >= _INTERNET]
    if not marked:
        return Finding("scripts", "ok", f"{len(scripts)} scripts, none marked as downloaded")
    names = ", ".join(path.name for path in marked)
    fix = f"Look at them, then: Unblock-File '{marked[0]}'."
    text = f"marked as downloaded, so that RemoteSigned refuses them: {names}"
    return Finding("scripts", "fail", text, fix, BeaconError.exit_code)


def _modules(reader: Reader, facts: Facts) -> Iterator[Finding]:
    names = sorted(
        {name for path in reader.folder.glob("*.ps1") for name in imported(_text(path))}, key=str.lower
    )
    missing = [name for name in names if not _is_there(name, facts)]
    if missing:
        fix = f"As administrator, in the 32-bit PowerShell: Install-Module {missing[0]} -Scope AllUsers."
        if retired.named_in(" ".join(missing)):  # installed, it would be refused all the same
            fix = retired.WAY_ON
        text = f"the reader's scripts import {', '.join(missing)}, not found where PowerShell looks"
        yield Finding("modules", "warn", text, fix)
    elif names:
        yield Finding("modules", "ok", f"{', '.join(names)}: there")
    else:
        yield Finding("modules", "ok", "the reader's scripts import none by name")


def imported(text: str) -> set[str]:
    """Return the modules that a script names plainly: in ``#requires -Modules`` and for Import-Module.

    A name that is put together at run time is not seen, nor one given as a path.
    """
    found = {match[1] for match in _IMPORT.finditer(text)}
    for match in _REQUIRES.finditer(text):
        found |= {one[1] for one in _HASHTABLE.finditer(match[1])}
        for word in _HASHTABLE.sub("", match[1]).split(","):
            if name := re.fullmatch(rf"{_NAME}['\"]?", word.strip().partition(" ")[0]):
                found.add(name[1])
    return found


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:  # loading the reader has told it, with its reason
        return ""
    utf16 = content[:2] in {b"\xff\xfe", b"\xfe\xff"}
    return content.decode("utf-16" if utf16 else "utf-8-sig", "replace")


def _is_there(name: str, facts: Facts) -> bool:
    return any((folder / name).is_dir() or _folds(folder, name) for folder in facts.modules)


def _folds(folder: Path, name: str) -> bool:
    """Return whether the folder holds the module by another case."""
    try:
        return any(one.name.casefold() == name.casefold() for one in folder.iterdir())
    except OSError:
        return False


# --- where they lie on this machine ---


def host_scripts() -> tuple[Path, ...]:
    """Return the scripts of bridge itself."""
    return tuple(sorted(Path(str(resources.files("bridge.ps_scripts"))).glob("*.ps1")))


def module_folders(environment: Mapping[str, str], *, windows: bool) -> tuple[Path, ...]:
    """Return where PowerShell looks for modules: on Windows the 32-bit one, elsewhere ``pwsh``.

    Source: learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_psmodulepath. The
    documents of an account that has moved them are not looked into.
    """
    given = {name.upper(): value for name, value in environment.items()}
    if not windows:
        pwsh = shutil.which("pwsh", path=given.get("PATH", ""))
        own = [Path(pwsh).resolve().parent / "Modules"] if pwsh else []
        home = [Path(given["HOME"], ".local/share/powershell/Modules")] if given.get("HOME") else []
        return (*home, Path("/usr/local/share/powershell/Modules"), *own)
    root = Path(given.get("SYSTEMROOT", r"C:\Windows"))
    programs = Path(given.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)"))
    home = [Path(given["USERPROFILE"], "Documents")] if given.get("USERPROFILE") else []
    shells = [folder / "WindowsPowerShell" / "Modules" for folder in (*home, programs)]
    return (*shells, root / "SysWOW64" / "WindowsPowerShell" / "v1.0" / "Modules")
