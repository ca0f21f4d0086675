"""The steps of a reader folder in run order, with the overrides put in their places.

No schema of reader XML is public. Its shape and the rules of order are those of the adapters that are; how
ties, unknown procedures and overrides are taken is inferred from them (docs/readers.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from bridge.model import EXECUTE_ON_TARGET, SOURCE_TO_TARGET, Column, InputVariable, Step
from bridge.readers.definitions import XSI_TYPE, Definition, Element, as_written
from bridge.sqltypes import column_type

# The public list of importer procedures, in their order; it is an integrator's, so others are legal too.
PROCEDURES = (
    "ActiveDirectory",
    "Computer",
    "VirtualMachine",
    "Group",
    "Evidence",
    "MatchARL",
    "Usage",
    "MatchComputersToAssets",
    "MatchComputersToAssetsCustom",
    "RemoveMissingComputers",
    "RemoveMissingUsers",
    "SyncDiscoveredDevice",
    "UpdateStatistics",
    "LicenseCreateUpdate",
    "EntitlementAutomation",
    "LicenseReconciliation",
    "BusinessIntelligenceRights",
    "BusinessIntelligenceData",
    "Tenant",
    "Complete",
)
_LAST = "Complete"
_KINDS_NOT_OURS = ("ExecuteOnSource", "GetVariableFromSource", "SourceToObject", "TargetToSource")
_STEP_ATTRIBUTES = frozenset(
    {XSI_TYPE, "Name", "Order", "Retries", "VersionFrom", "Table", "Method", "Language"}
)
_COLUMN_ATTRIBUTES = frozenset({"Name", "Type", "Length", "Property"})


def read(
    config: Definition, folder: Path, override: Path | None, known: set[str]
) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Return all steps in run order, and what is worth a warning.

    Steps go by procedure, then by Order over all files of the procedure; ties keep the order in which they
    are written. ``known`` are the names of the declared parameters. Raises BeaconError with file and line.
    """
    steps: list[Step] = []
    warnings: list[str] = []
    files: set[str] = set()
    for element in config.children(config.section("Readers"), "Reader"):
        file, procedure = config.text(element, "FileName"), config.text(element, "ProcedureName")
        if file.casefold() in files:
            raise config.wrong(element, f"the file {file!r} is listed twice")
        files.add(file.casefold())
        if procedure not in PROCEDURES:
            config.warn(
                element,
                f"the procedure {procedure} is not in the public list: it runs after those, before {_LAST}",
            )
        definition = Definition(config.file(element, file, folder), "Readers")
        found = _of_file(definition, file, procedure, known)
        warnings += definition.warnings
        if override is not None:
            found, more = _overridden(found, override, file, procedure, known)
            warnings += more
        steps += found
    if not any(step.collected for step in steps):
        raise config.wrong(config.root, "the folder has no PowerShell step to collect")
    warnings += _idle(override, files)
    return tuple(sorted(steps, key=lambda step: (_rank(step.procedure), step.order))), tuple(warnings)


def _rank(procedure: str) -> int:
    """Return a procedure's place; an unknown one comes after the known ones, Complete comes last."""
    if procedure == _LAST:
        return len(PROCEDURES) + 1
    return PROCEDURES.index(procedure) if procedure in PROCEDURES else len(PROCEDURES)


def _of_file(definition: Definition, file: str, procedure: str, known: set[str]) -> list[Step]:
    steps: list[Step] = []
    for element in definition.children(definition.root, "Reader"):
        step = _step(definition, element, file, procedure, known)
        if step.name in {one.name for one in steps}:
            raise definition.wrong(element, f"the step {step.name!r} is defined twice")
        steps.append(step)
    return steps


# --- overrides ---


def _overridden(
    steps: list[Step], override: Path, file: str, procedure: str, known: set[str]
) -> tuple[list[Step], list[str]]:
    """Return a file's steps with those of the same file in the override folder put in their places.

    A step of the same name is replaced, which is inferred; another is added, with a warning.
    """
    path = as_written(override / file)
    if not path.is_file():
        return steps, []
    definition = Definition(path, "Readers")
    result = {step.name: step for step in steps}
    for new in _of_file(definition, file, procedure, known):
        if new.name not in result:
            definition.warnings.append(f"{path} overrides no step: {new.name!r} is added.")
        elif new.order != result[new.name].order:
            definition.warnings.append(
                f"{path} moves {new.name!r} from Order {result[new.name].order} to {new.order}."
            )
        result[new.name] = replace(new, overridden_by=path)
    return list(result.values()), definition.warnings


def _idle(override: Path | None, files: set[str]) -> list[str]:
    """Return a warning for each file of the override folder that overrides no reader XML of the folder."""
    if override is None or not override.is_dir():
        return []
    idle = (path for path in sorted(override.iterdir()) if path.name.casefold() not in files)
    return [f"{path} overrides no reader XML of the folder and has no effect." for path in idle]


# --- one step ---


def _step(definition: Definition, element: Element, file: str, procedure: str, known: set[str]) -> Step:
    name, order = definition.text(element, "Name"), definition.number(element, "Order")
    kind = str(element.get(XSI_TYPE) or "").rpartition(":")[2]
    version = element.get("VersionFrom")
    if version is not None and not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})*", version):
        raise definition.wrong(element, f"VersionFrom is {version!r}, expected dotted numbers")
    if kind == EXECUTE_ON_TARGET:
        return Step(file, name, procedure, order, kind, version_from=version)
    _refuse_foreign(definition, element, name, kind)
    definition.unknown(element, _STEP_ATTRIBUTES)
    return Step(
        file,
        name,
        procedure,
        order,
        kind,
        table=definition.text(element, "Table"),
        method=definition.text(element, "Method"),
        inputs=inputs(definition, _named(definition, element, "InputVariable"), known),
        columns=_columns(definition, element),
        version_from=version,
    )


def _refuse_foreign(definition: Definition, element: Element, name: str, kind: str) -> None:
    """Refuse a step that is neither the server's work nor PowerShell of ours to run."""
    if kind in _KINDS_NOT_OURS:
        raise definition.wrong(element, f"{kind} steps are run by the beacon or the server only, not by us")
    if kind != SOURCE_TO_TARGET:
        raise definition.wrong(element, f"the step {name!r} has the unknown xsi:type {kind!r}")
    if (language := element.get("Language")) != "PowerShell":
        raise definition.wrong(element, f"the step {name!r} is in {language or 'SQL'}, expected PowerShell")


def inputs(definition: Definition, elements: Iterable[Element], known: set[str]) -> tuple[InputVariable, ...]:
    """Return the input variables; one that no parameter fills is refused rather than guessed at."""
    found: list[InputVariable] = []
    for element in elements:
        name, variable = definition.text(element, "Name"), definition.text(element, "Variable")
        if variable not in known:
            raise definition.wrong(element, f"no parameter is called {variable!r}, which {name!r} needs")
        if name.casefold() in {one.name.casefold() for one in found}:
            raise definition.wrong(element, f"{name!r} is filled twice")
        found.append(InputVariable(name, variable))
    return tuple(found)


def _named(definition: Definition, step: Element, name: str) -> Iterator[Element]:
    both = definition.children(step, "InputVariable", "OutputSchema")
    return (element for element in both if element.tag == name)


def _columns(definition: Definition, step: Element) -> tuple[Column, ...]:
    """Return the columns in the order of their elements, which is the order of the receiving table."""
    columns: list[Column] = []
    for element in _named(definition, step, "OutputSchema"):
        column = _column(definition, element)
        if column.name.casefold() in {one.name.casefold() for one in columns}:
            raise definition.wrong(element, f"the column {column.name!r} stands there twice")
        columns.append(column)
    if not columns:
        raise definition.wrong(step, "the step has no OutputSchema")
    return tuple(columns)


def _column(definition: Definition, element: Element) -> Column:
    name = definition.text(element, "Name")
    definition.unknown(element, _COLUMN_ATTRIBUTES)
    try:
        kind = column_type(definition.text(element, "Type"), element.get("Length"))
    except ValueError as error:
        raise definition.wrong(element, f"the column {name!r}: {error}") from error
    prop = str(element.get("Property") or "").strip() or name
    return Column(name, kind.name, prop, kind.length, kind.precision, kind.scale)
