"""A reader folder, read whole: what it asks for, what it runs, and in which order.

No schema of readerV3.config is public: its shape is that of the adapters that are. What it may hold beyond
them is taken with a warning or refused, never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from bridge.beacon import is_deprecated
from bridge.errors import BeaconError
from bridge.model import Function, Owner, Parameter, Reader
from bridge.readers import steps
from bridge.readers.definitions import HINT, Definition, Element, as_written

CONFIG = "readerV3.config"
SQL_CONFIG = "reader.config"

_SECTIONS = frozenset({"Parameters", "InitScripts", "TestConnection", "VersionCheck", "Readers"})


# --- loading ---


def load(folder: Path, owner: Owner, override: Path | None = None) -> Reader:
    """Return the reader folder, or raise BeaconError with file and line.

    ``override`` is the folder of the same name in the CustomInventory tree, if there may be one. Names are
    found in any case, as on Windows; the reader's name is the folder's as it is written on disk.
    """
    folder = existing(folder)
    path = as_written(folder / CONFIG)
    if not path.is_file():
        raise _no_config(folder)
    override = as_written(override) if override is not None else None
    taken = hashes(folder, override)  # before anything is read, so that no change goes unseen
    config = Definition(path, "Configuration")
    _look_at(config)
    parameters = _parameters(config)
    known = {parameter.name for parameter in parameters}
    scripts = _scripts(config, folder)
    test = _test(config, folder, scripts, known)
    version_check = _version_check(config, known)
    found, warnings = steps.read(config, folder, override, known)
    return Reader(
        name=folder.name,
        folder=folder,
        owner=owner,
        parameters=parameters,
        scripts=scripts,
        test=test,
        version_check=version_check,
        steps=found,
        hashes=taken,
        override=override,
        warnings=(*config.warnings, *warnings),
    )


def existing(folder: Path) -> Path:
    """Return a reader folder as it is written on disk; BeaconError if it is not there."""
    folder = as_written(folder)
    if folder.is_dir():
        return folder
    if is_deprecated(folder.name):
        raise BeaconError(
            f"There is no reader folder {folder}: a beacon upgrade may have removed this connector.",
            hint="Move the connection to the reader Microsoft 365; `beacon-bridge list` shows what is there.",
        )
    raise BeaconError(f"There is no reader folder {folder}.", hint="`beacon-bridge list` shows the folders.")


def _no_config(folder: Path) -> BeaconError:
    if is_sql(folder):
        return BeaconError(
            f"{folder} holds {SQL_CONFIG}: it is an SQL adapter, which beacon-bridge does not run.",
            hint=f"beacon-bridge runs PowerShell adapters, which hold {CONFIG}.",
        )
    return BeaconError(f"{folder} holds no {CONFIG}.", hint=HINT)


def is_sql(folder: Path) -> bool:
    """Return whether it is the folder of an SQL adapter, which is not ours to run."""
    return not as_written(folder / CONFIG).is_file() and as_written(folder / SQL_CONFIG).is_file()


def _look_at(config: Definition) -> None:
    """Refuse a language that is not PowerShell, and remark on what is not known."""
    _refuse_language(config, config.root, config.root.get("Language") or "none")
    if (version := config.root.get("Version")) != "3.0":
        config.warn(config.root, f"Version is {version!r}: read as '3.0'")
    for element in config.root.iterchildren("*"):
        if element.tag not in _SECTIONS:
            config.warn(element, f"the element {element.tag} is not known and has no effect")


def _refuse_language(config: Definition, element: Element, language: str) -> None:
    if language != "PowerShell":
        raise config.wrong(element, f"Language is {language!r}, expected 'PowerShell'")


def _parameters(config: Definition) -> tuple[Parameter, ...]:
    """Return the declared parameters; one of a type that is not known is a text, and kept as a secret."""
    found: list[Parameter] = []
    for element in config.children(config.section("Parameters"), "Parameter"):
        name, kind = config.text(element, "Name"), str(element.get("Type") or "")
        if name.casefold() in {one.name.casefold() for one in found}:
            raise config.wrong(element, f"the parameter {name!r} is declared twice")
        config.unknown(element, frozenset({"Name", "DisplayText", "Type", "IsMandatory"}))
        if kind not in {"text", "password"}:
            config.warn(
                element, f"the parameter {name} has the unknown type {kind!r}: a text, treated as a secret"
            )
        mandatory = str(element.get("IsMandatory") or "false").lower() == "true"
        display = str(element.get("DisplayText") or name)
        found.append(Parameter(name, display, kind, mandatory, secret=kind != "text"))
    return tuple(found)


def _scripts(config: Definition, folder: Path) -> tuple[Path, ...]:
    return tuple(
        config.file(element, config.text(element, "Name"), folder)
        for element in config.children(config.section("InitScripts"), "InitScript")
    )


# --- functions that are no steps ---


def _test(config: Definition, folder: Path, scripts: tuple[Path, ...], known: set[str]) -> Function | None:
    sources = list(config.children(config.section("TestConnection"), "Source"))
    if not sources:
        return None
    if len(sources) > 1:
        raise config.wrong(sources[1], "TestConnection has more than one Source")
    source = sources[0]
    if (name := source.get("File")) and config.file(source, str(name), folder) not in scripts:
        config.warn(source, f"{name} is no InitScript, so its functions are not loaded")
    return _function(config, source, known)


def _version_check(config: Definition, known: set[str]) -> Function | None:
    element = config.section("VersionCheck")
    return None if element is None else _function(config, element, known)


def _function(config: Definition, element: Element, known: set[str]) -> Function:
    """Return the function that an element names; its inputs are called one thing here, another there."""
    _refuse_language(config, element, str(element.get("Language") or "PowerShell"))
    variables = config.children(element, "InputVariable", "Parameter")
    return Function(config.text(element, "Method"), steps.inputs(config, variables, known))


# --- hashes ---


def hashes(folder: Path, override: Path | None) -> Mapping[str, str]:
    """Return the SHA-256 of every file below the folder and of its override folder, by relative name."""
    found = {path.relative_to(folder).as_posix(): _sha256(path) for path in _files(folder)}
    if override is not None and override.is_dir():
        for path in _files(override):
            found[f"override:{path.relative_to(override).as_posix()}"] = _sha256(path)
    return found


def changed(reader: Reader) -> tuple[str, ...]:
    """Return the names of files that differ from, or are missing in, what was loaded."""
    now = hashes(reader.folder, reader.override)
    return tuple(sorted(name for name in {*now, *reader.hashes} if now.get(name) != reader.hashes.get(name)))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BeaconError(f"{path}: cannot be read: {error.strerror or error}.", hint=HINT) from error


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
        if is_sql(folder):
            continue
        override = overrides / "Reader" / folder.name if overrides else None
        reader: Reader | BeaconError
        try:
            reader = load(folder, owner, override)
        except BeaconError as error:
            reader = error
        found.append(Found(folder.name, folder, owner, reader))
    return tuple(found)
