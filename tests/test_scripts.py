"""Our PowerShell scripts: what Windows PowerShell 5.1 lacks does not occur in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests import scripts51
from tests.scripts51 import Parsed

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(
    path for folder in ("ps_scripts", "importprocedures") for path in (ROOT / folder).rglob("*.ps1")
)
FOLDERS = sorted({path.parent for path in SCRIPTS})
DATA = Path(__file__).parent / "data"
KNOWN = scripts51.load(DATA / "powershell-5.1" / "commands.json")
MODULES = {"Microsoft Office 365": scripts51.load(DATA / "msonline" / "commands.json")}  # by folder
Parse = Callable[[Sequence[str]], list[Parsed]]

REFUSED = (
    "$a = $b ? 1 : 2",
    "$a = $b ?? 1",
    "$a ??= 1",
    "${a}?.Name",
    "${a}?[0]",
    "Get-Item -Path a && Get-Item -Path b",
    "Get-Item -Path a || Get-Item -Path b",
    "function Get-It {\n    begin { }\n    clean { }\n}",
    "1..9 | ForEach-Object -Parallel { $_ }",
    "$text | ConvertFrom-Json -AsHashtable",
    "$text | Test-Json",
    "'a', 'b' | Join-String",
    "Set-Content -Path a -Value b -Encoding utf8NoBOM",
    "Set-Content -Path a -Value b -Encoding:utf8NoBOM",
    "Invoke-RestMethod -Uri $uri -StatusCodeVariable status",
    "Invoke-RestMethod -Uri $uri -ResponseHeadersVariable headers",
    "Invoke-WebRequest -Uri $uri -SkipHttpErrorCheck",
    "Invoke-WebRequest -Uri $uri -MaximumRetryCount 3",
    "if ($a) { & Get-Nothing -Path a }",
    "gci -Path a",
    "curl.exe https://example.org",
    "& 'curl.exe' https://example.org",
    "if ($a) {",
)
ACCEPTED = (
    "function Get-It {\n    param($Name)\n    Get-Item -Path $Name -ErrorAction Stop\n}\nGet-It -Name a",
    "Set-Content -Path a -Value b -Encoding UTF8",
    "try { Invoke-RestMethod -Uri $uri -UseBasicParsing -Headers @{ a = 'b' } } catch { throw }",
    "& $command -Anything at all",
    "& $table.Command 1",
    "& { param($a) $a } 1",
    "$rows | & { process { $_ } } | Out-Null",
    "[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12",
)


@pytest.fixture(params=["grammar", pytest.param("engine", marks=pytest.mark.powershell)])
def parse(request: pytest.FixtureRequest, tmp_path: Path) -> Parse:
    """Return each parser in turn: tree-sitter's grammar, and PowerShell's own where there is one."""
    if request.param == "grammar":
        return scripts51.parse_with_grammar
    powershell = request.getfixturevalue("powershell")
    return lambda texts: scripts51.parse_with_powershell(powershell, texts, tmp_path)


def wrong(parse: Parse, texts: Sequence[str]) -> list[list[str]]:
    """Return the findings of each text by itself."""
    return [scripts51.findings([parsed], KNOWN) for parsed in parse(texts)]


def test_there_are_scripts() -> None:
    """The host is among the scripts that are checked."""
    assert ROOT / "ps_scripts" / "Invoke-Reader.ps1" in SCRIPTS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_scripts_of_a_folder_use_only_what_5_1_has(folder: Path, parse: Parse) -> None:
    """Syntax, commands, parameters and their fixed values are those of 5.1 and of the modules it imports."""
    texts = [path.read_text("utf-8-sig") for path in SCRIPTS if path.parent == folder]
    parsed = parse([fragment for text in texts for fragment in scripts51.fragments(text)])
    assert scripts51.findings(parsed, {**KNOWN, **MODULES.get(folder.name, {})}) == []


def test_what_5_1_lacks_is_refused(parse: Parse) -> None:
    """Each of these is noticed, by either parser."""
    missed = [text for text, found in zip(REFUSED, wrong(parse, REFUSED), strict=True) if not found]
    assert missed == []


def test_what_5_1_has_is_accepted(parse: Parse) -> None:
    """The check does not cry wolf."""
    assert [found for found in wrong(parse, ACCEPTED) if found] == []


def test_a_script_inside_a_here_string_is_checked_too() -> None:
    """Code that a script carries as text runs on 5.1 like the rest."""
    text = "$inner = @'\nfunction Get-It {\n    Join-String\n}\n'@\n"
    parsed = scripts51.parse_with_grammar(scripts51.fragments(text))
    assert scripts51.findings(parsed, KNOWN) == ["line 2: 5.1 has no command Join-String"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_ascii_or_says_that_it_is_not(path: Path) -> None:
    """5.1 reads a script without a mark in the machine's ANSI code page."""
    content = path.read_bytes()
    assert content.isascii() or content.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_has_comment_based_help(path: Path) -> None:
    """Get-Help finds what the script is for, and an example."""
    text = path.read_text("utf-8-sig")
    assert text.lstrip().startswith("<#")
    assert {".SYNOPSIS", ".DESCRIPTION", ".EXAMPLE"} <= set(text.split())
