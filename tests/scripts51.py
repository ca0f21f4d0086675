"""What a PowerShell script uses that Windows PowerShell 5.1 lacks, found without a 5.1.

Two parsers give the same facts: PowerShell's own, and tree-sitter's grammar where there is none. The grammar
knows no 7-only operator but the pipeline chains, so the others are syntax errors to it.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_powershell

COMMON = {
    f"{stream}{what}" for stream in ("error", "warning", "information") for what in ("action", "variable")
} | {"verbose", "debug", "outvariable", "outbuffer", "pipelinevariable"}
NEW_WORDS = {"utf8nobom", "utf8bom"}  # the list names no values where the provider adds the parameter
Known = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Call:
    """One command as a script calls it: its parameters, each with its bare word if one follows."""

    name: str
    line: int
    parameters: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Parsed:
    """What a parser says of one script: what is wrong, what it defines, what it calls by name."""

    faults: tuple[str, ...]
    functions: frozenset[str]
    calls: tuple[Call, ...]


def load(path: Path) -> Known:
    """Return the commands of 5.1 by their names in lower case."""
    return {name.casefold(): facts for name, facts in json.loads(path.read_text("utf-8")).items()}


def fragments(text: str) -> list[str]:
    """Return a script and the scripts that it holds in single-quoted here-strings."""
    inner = re.findall(r"@'\n(.*?)\n'@", text.replace("\r\n", "\n"), re.DOTALL)
    return [text, *(one for one in inner if re.search(r"^(function|param)\b", one, re.MULTILINE))]


# --- what 5.1 lacks ---


def findings(parsed: Sequence[Parsed], known: Known) -> list[str]:
    """Return what the scripts, which see each other's functions, use that 5.1 lacks; an alias counts too."""
    functions = {name.casefold() for one in parsed for name in one.functions}
    found = [fault for one in parsed for fault in one.faults]
    for call in (call for one in parsed for call in one.calls):
        if call.name.casefold() not in functions:
            found += _unknown(call, known)
    return found


def _unknown(call: Call, known: Known) -> Iterator[str]:
    command = known.get(call.name.casefold())
    if command is None:
        yield f"line {call.line}: 5.1 has no command {call.name}"
        return
    parameters = {
        name.casefold(): facts
        for full, facts in command["parameters"].items()
        for name in (full, *facts.get("aliases", ()))
    }
    for name, word in call.parameters:
        if name.casefold() not in COMMON | parameters.keys():
            yield f"line {call.line}: {call.name} has no parameter -{name} in 5.1"
            continue
        values = [value.casefold() for value in parameters.get(name.casefold(), {}).get("values", ())]
        if word and (word.casefold() in NEW_WORDS or (values and word.casefold() not in values)):
            yield f"line {call.line}: {call.name} -{name} takes no {word} in 5.1"


# --- tree-sitter's grammar ---

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def parse_with_grammar(texts: Sequence[str]) -> list[Parsed]:
    """Return what tree-sitter's grammar says of each script."""
    return [_from_tree(_PARSER.parse(text.encode()).root_node) for text in texts]


def _from_tree(root: tree_sitter.Node) -> Parsed:
    nodes = list(_walk(root))
    faults = tuple(
        f"line {node.start_point.row + 1}: syntax that 5.1 lacks or that is wrong: {_text(node)[:60]}"
        for node in nodes
        if node.type in {"ERROR", "pipeline_chain_tail"} or node.is_missing
    )
    functions = frozenset(_text(node) for node in nodes if node.type == "function_name")
    calls = tuple(call for node in nodes if node.type == "command" for call in _call(node))
    return Parsed(faults, functions, calls)


def _walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode()


def _call(node: tree_sitter.Node) -> Iterator[Call]:
    """Yield the call if its command is named; what a variable or a script block holds is not known."""
    name = next((child for child in node.children if child.type.startswith("command_name")), None)
    if name is None or any(child.type in {"variable", "script_block"} for child in _walk(name)):
        return
    if re.fullmatch(r"\d+[A-Za-z]*", _text(name)):  # the grammar takes 0L for a command
        return
    elements = [child for child in node.children if child.type == "command_elements"]
    words = [child for one in elements for child in one.children if child.type != "command_argument_sep"]
    parameters = []
    for word, following in zip_longest(words, words[1:]):
        if word.type == "command_parameter":
            is_bare = following is not None and following.type == "generic_token"
            parameters.append((_text(word).lstrip("-"), _text(following) if is_bare else None))
    yield Call(_text(name).strip("'\""), node.start_point.row + 1, tuple(parameters))


# --- PowerShell's own parser ---

_PARSE = r"""
$operators = 'AndAnd', 'OrOr', 'QuestionMark', 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot',
    'QuestionLBracket'
$all = foreach ($path in [IO.File]::ReadAllLines($args[0])) {
    $tokens = $null
    $errors = $null
    $tree = [Management.Automation.Language.Parser]::ParseFile($path, [ref]$tokens, [ref]$errors)
    $nodes = $tree.FindAll({ $true }, $true)
    $faults = @(
        $errors | ForEach-Object { "line $($_.Extent.StartLineNumber): $($_.Message)" }
        $tokens | Where-Object { $operators -contains "$($_.Kind)" } |
            ForEach-Object { "line $($_.Extent.StartLineNumber): 5.1 has no operator $($_.Text)" }
        $nodes | Where-Object { $_.GetType().Name -eq 'NamedBlockAst' -and "$($_.BlockKind)" -eq 'Clean' } |
            ForEach-Object { "line $($_.Extent.StartLineNumber): 5.1 has no clean block" }
    )
    $functions = @($nodes | Where-Object { $_.GetType().Name -eq 'FunctionDefinitionAst' } |
            ForEach-Object { $_.Name })
    $named = $nodes | Where-Object { $_.GetType().Name -eq 'CommandAst' -and $_.GetCommandName() }
    $calls = @(foreach ($call in $named) {
        $elements = $call.CommandElements
        $parameters = @(for ($i = 1; $i -lt $elements.Count; $i++) {
            if ($elements[$i].GetType().Name -ne 'CommandParameterAst') { continue }
            $value = $elements[$i].Argument
            if (-not $value -and $i + 1 -lt $elements.Count) { $value = $elements[$i + 1] }
            $word = $null
            if ($value -and "$($value.StringConstantType)" -eq 'BareWord') { $word = $value.Value }
            @{ name = $elements[$i].ParameterName; word = $word }
        })
        @{ name = $call.GetCommandName(); line = $call.Extent.StartLineNumber; parameters = $parameters }
    })
    @{ faults = $faults; functions = $functions; calls = $calls }
}
ConvertTo-Json -InputObject @($all) -Depth 6 -Compress
"""


def parse_with_powershell(powershell: str, texts: Sequence[str], folder: Path) -> list[Parsed]:
    """Return what PowerShell's own parser says of each script; ``folder`` is for its files."""
    paths = [folder / f"{number}.ps1" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, "utf-8-sig")
    (folder / "paths.txt").write_text("".join(f"{path}\n" for path in paths), "utf-8")
    (folder / "parse.ps1").write_text(_PARSE, "utf-8-sig")
    command = [powershell, "-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"]
    done = subprocess.run(
        [*command, str(folder / "parse.ps1"), str(folder / "paths.txt")], capture_output=True, check=True
    )
    return [_from_json(one) for one in json.loads(done.stdout)]


def _from_json(one: Mapping[str, Any]) -> Parsed:
    calls = (
        Call(call["name"], call["line"], tuple((each["name"], each["word"]) for each in call["parameters"]))
        for call in one["calls"]
    )
    return Parsed(tuple(one["faults"]), frozenset(one["functions"]), tuple(calls))
