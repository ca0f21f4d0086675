"""A reader folder, read whole: what it asks for, what it runs, and in which order.

The shape of the files is that of facts/adapter.md, sections 2 to 4 and 8; what is marked there as inferred is
inferred here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path

from lxml import etree

from bridge.errors import BeaconError
from bridge.model import EXECUTE_ON_TARGET, Column, Function, InputVariable, Owner, Parameter, Reader, Step
from bridge.readers.definitions import HINT, XSI_TYPE, Definition
from bridge.sqltypes import column_type

CONFIG = "readerV3.config"

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


# --- loading ---


def load(folder: Path, owner: Owner, override: Path | None = None) -> Reader:
    """Return the reader folder, or raise BeaconError with file and line.

    ``override`` is the folder of the same name in the CustomInventory tree, if there may be one.
    """
    if not folder.is_dir():
        raise _missing(folder)
    if not (folder / CONFIG).is_file():
        raise _no_config(folder)
    config = Definition(folder / CONFIG, "Configuration")
    if (language := config.root.get("Language")) != "PowerShell":
        raise config.wrong(config.root, f"Language is {language!r}, expected 'PowerShell'")
    parameters, warnings = _parameters(config)
    known = {parameter.name for parameter in parameters}
    used = override if override is not None and override.is_dir() else None
    steps, more = _steps(config, folder, used, known)
    return Reader(
        name=folder.name,
        folder=folder,
        owner=owner,
        parameters=parameters,
        scripts=_scripts(config, folder),
        test=_test(config, known),
        version_check=_version_check(config, known),
        steps=steps,
        hashes=hashes(folder, override),
        override=override,
        warnings=(*warnings, *more),
    )


def _missing(folder: Path) -> BeaconError:
    if folder.name == "Microsoft Office 365":
        return BeaconError(
            f"There is no reader folder {folder}: a beacon upgrade may have removed this connector.",
            hint="Move the connection to the reader Microsoft 365; `beacon-bridge list` shows what is there.",
        )
    return BeaconError(f"There is no reader folder {folder}.", hint="`beacon-bridge list` shows the folders.")


def _no_config(folder: Path) -> BeaconError:
    if (folder / "reader.config").is_file():
        return BeaconError(
            f"{folder} holds reader.config: it is an SQL adapter, which beacon-bridge does not run.",
            hint="beacon-bridge runs PowerShell adapters, which hold readerV3.config.",
        )
    return BeaconError(f"{folder} holds no {CONFIG}.", hint=HINT)


def _parameters(config: Definition) -> tuple[tuple[Parameter, ...], tuple[str, ...]]:
    found: list[Parameter] = []
    warnings = []
    for element in config.children(config.root.find("Parameters"), "Parameter"):
        name, kind = config.text(element, "Name"), str(element.get("Type") or "text")
        if name.casefold() in {one.name.casefold() for one in found}:
            raise config.wrong(element, f"the parameter {name!r} is declared twice")
        if kind not in {"text", "password"}:
            warnings.append(f"The parameter {name} has the unknown type {kind!r}: taken as a secret text.")
        mandatory = str(element.get("IsMandatory") or "false").lower() == "true"
        display = str(element.get("DisplayText") or name)
        found.append(Parameter(name, display, kind, mandatory, secret=kind != "text"))
    return tuple(found), tuple(warnings)


def _scripts(config: Definition, folder: Path) -> tuple[Path, ...]:
    return tuple(
        _inside(config, element, folder, config.text(element, "Name"))
        for element in config.children(config.root.find("InitScripts"), "InitScript")
    )


def _inside(config: Definition, element: etree._Element, folder: Path, name: str) -> Path:
    """Return a file of the folder; one that is missing or lies outside is refused."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise config.wrong(element, f"{name!r} lies outside the folder")
    if not path.is_file():
        raise config.wrong(element, f"there is no file {name!r} in the folder")
    return path


def _test(config: Definition, known: set[str]) -> Function | None:
    element = config.root.find("TestConnection")
    sources = list(config.children(element, "Source"))
    if not sources:
        return None
    if len(sources) > 1:
        raise config.wrong(sources[1], "TestConnection has more than one Source")
    inputs = _inputs(config, config.children(sources[0], "InputVariable"), known)
    return Function(config.text(sources[0], "Method"), inputs)


def _version_check(config: Definition, known: set[str]) -> Function | None:
    element = config.root.find("VersionCheck")
    if element is None:
        return None
    return Function(
        config.text(element, "Method"), _inputs(config, config.children(element, "Parameter"), known)
    )


def _inputs(
    definition: Definition, elements: Iterable[etree._Element], known: set[str]
) -> tuple[InputVariable, ...]:
    """Return the input variables; one that no parameter fills is refused rather than guessed at."""
    found = []
    for element in elements:
        name, variable = definition.text(element, "Name"), definition.text(element, "Variable")
        if variable not in known:
            raise definition.wrong(element, f"no parameter is called {variable!r}, which {name!r} needs")
        found.append(InputVariable(name, variable))
    return tuple(found)


# --- steps ---


@dataclass(frozen=True, slots=True)
class _Placed:
    """A step with what decides its place: procedure, Order, and the position it was read at."""

    step: Step
    position: int


def _steps(
    config: Definition, folder: Path, override: Path | None, known: set[str]
) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Return all steps in run order: by procedure, then Order; ties keep the order they are written in."""
    placed: list[_Placed] = []
    warnings: list[str] = []
    for element in config.children(config.root.find("Readers"), "Reader"):
        file, procedure = config.text(element, "FileName"), config.text(element, "ProcedureName")
        path = _inside(config, element, folder, file)
        steps = _file_steps(Definition(path, "Readers"), file, procedure, known, ours=False)
        if override is not None and (override / file).is_file():
            steps, more = _overridden(steps, override / file, file, procedure, known)
            warnings += more
        if procedure not in PROCEDURES:
            warnings.append(
                f"The procedure {procedure} is not in the public list: it runs after the known ones."
            )
        placed += (_Placed(step, len(placed) + count) for count, step in enumerate(steps))
    placed.sort(key=lambda one: (_rank(one.step.procedure), one.step.order, one.position))
    _refuse_nothing(config, placed)
    return tuple(one.step for one in placed), tuple(dict.fromkeys(warnings))


def _rank(procedure: str) -> int:
    """Return a procedure's place; an unknown one comes after the known ones, Complete comes last."""
    if procedure == _LAST:
        return len(PROCEDURES) + 1
    return PROCEDURES.index(procedure) if procedure in PROCEDURES else len(PROCEDURES)


def _refuse_nothing(config: Definition, placed: list[_Placed]) -> None:
    if not any(one.step.collected for one in placed):
        raise config.wrong(config.root, "the folder has no PowerShell step to collect")


def _file_steps(
    definition: Definition, file: str, procedure: str, known: set[str], *, ours: bool
) -> list[Step]:
    steps: list[Step] = []
    for element in definition.children(definition.root, "Reader"):
        step = _step(definition, element, file, procedure, known)
        if step.name in {one.name for one in steps}:
            raise definition.wrong(element, f"the step {step.name!r} is defined twice")
        steps.append(replace(step, overridden_by=definition.path) if ours else step)
    return steps


def _overridden(
    steps: list[Step], path: Path, file: str, procedure: str, known: set[str]
) -> tuple[list[Step], list[str]]:
    """Return the steps with those of the override file put in their places; the rule is inferred."""
    warnings = []
    result = list(steps)
    for new in _file_steps(Definition(path, "Readers"), file, procedure, known, ours=True):
        places = [place for place, old in enumerate(result) if old.name == new.name]
        if places:
            result[places[0]] = new
        else:
            result.append(new)
            warnings.append(f"{path} overrides no step: {new.name!r} is added.")
    return result, warnings


def _step(
    definition: Definition, element: etree._Element, file: str, procedure: str, known: set[str]
) -> Step:
    name, order = definition.text(element, "Name"), definition.number(element, "Order")
    kind = str(element.get(XSI_TYPE) or "").rpartition(":")[2]
    if kind == EXECUTE_ON_TARGET:
        return Step(file, name, procedure, order, kind)
    if kind in _KINDS_NOT_OURS:
        raise definition.wrong(element, f"{kind} steps are run by the beacon or the server only, not by us")
    if kind != "SourceToTarget":
        raise definition.wrong(element, f"the step {name!r} has the unknown xsi:type {kind!r}")
    if (language := element.get("Language")) != "PowerShell":
        raise definition.wrong(element, f"the step {name!r} is in {language or 'SQL'}, expected PowerShell")
    version = element.get("VersionFrom")
    if version is not None and not re.fullmatch(r"\d+(\.\d+)*", version):
        raise definition.wrong(element, f"VersionFrom is {version!r}, expected dotted numbers")
    return Step(
        file,
        name,
        procedure,
        order,
        kind,
        table=definition.text(element, "Table"),
        method=definition.text(element, "Method"),
        inputs=_inputs(definition, _named(definition, element, "InputVariable"), known),
        columns=_columns(definition, element),
        version_from=version,
    )


def _named(definition: Definition, step: etree._Element, name: str) -> Iterator[etree._Element]:
    both = definition.children(step, "InputVariable", "OutputSchema")
    return (element for element in both if element.tag == name)


def _columns(definition: Definition, step: etree._Element) -> tuple[Column, ...]:
    """Return the columns in the order of their elements, which is the order of the receiving table."""
    columns: list[Column] = []
    for element in _named(definition, step, "OutputSchema"):
        name = definition.text(element, "Name")
        if name.casefold() in {one.name.casefold() for one in columns}:
            raise definition.wrong(element, f"the column {name!r} stands there twice")
        try:
            kind = column_type(definition.text(element, "Type"), element.get("Length"))
        except ValueError as error:
            raise definition.wrong(element, f"the column {name!r}: {error}") from error
        prop = str(element.get("Property") or name)
        columns.append(Column(name, kind.name, prop, kind.length, kind.precision, kind.scale))
    if not columns:
        raise definition.wrong(step, "the step has no OutputSchema")
    return tuple(columns)


# --- hashes ---


def hashes(folder: Path, override: Path | None) -> Mapping[str, str]:
    """Return the SHA-256 of every file below the folder and of its override folder, by relative name."""
    found = {path.relative_to(folder).as_posix(): _sha256(path) for path in _files(folder)}
    if override is not None and override.is_dir():
        for path in _files(override):
            found[f"override/{path.relative_to(override).as_posix()}"] = _sha256(path)
    return found


def changed(reader: Reader) -> tuple[str, ...]:
    """Return the names of files that differ from, or are missing in, what was loaded."""
    now = hashes(reader.folder, reader.override)
    return tuple(sorted(name for name in {*now, *reader.hashes} if now.get(name) != reader.hashes.get(name)))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


# --- looking at many ---


@dataclass(frozen=True, slots=True)
class Found:
    """A reader folder, or why it is broken."""

    name: str
    folder: Path
    owner: Owner
    reader: Reader | BeaconError


def survey(folders: Iterable[Path], owner: Owner, overrides: Path | None) -> tuple[Found, ...]:
    """Return each folder with its reader or the reason it is broken; SQL adapters are left out."""
    found = []
    for folder in folders:
        if not (folder / CONFIG).is_file() and (folder / "reader.config").is_file():
            continue
        override = overrides / "Reader" / folder.name if overrides else None
        reader: Reader | BeaconError
        try:
            reader = load(folder, owner, override)
        except BeaconError as error:
            reader = error
        found.append(Found(folder.name, folder, owner, reader))
    return tuple(found)
