"""Where this beacon keeps its procedures and its data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from bridge.errors import BeaconError
from bridge.system import Registry

# Keys of the 32-bit registry view (facts/beacon.md, section 5); the view is the registry's own business.
BEACON_KEY = r"SOFTWARE\ManageSoft Corp\ManageSoft\Beacon\CurrentVersion"
COMPLIANCE_KEY = r"SOFTWARE\ManageSoft Corp\ManageSoft\Compliance\CurrentVersion"
COMMON_KEY = r"SOFTWARE\ManageSoft Corp\ManageSoft\Common"

DEPRECATED = "Microsoft Office 365"
_EXPLICIT = frozenset({"--root", "[beacon] root"})
_RELABELLED = (2019, 1)  # the release that began to say "(deprecated)"


@dataclass(frozen=True, slots=True)
class Beacon:
    """The beacon's folders: its data root (where known), ImportProcedures, the override tree, who said so."""

    data_root: Path | None
    procedures: Path
    overrides: Path | None
    found_by: str

    @property
    def readers(self) -> Path:
        """The folder of reader folders."""
        return self.procedures / "Inventory" / "Reader"


def find(registry: Registry, *, root: Path | None, settings_root: Path | None, program_data: Path) -> Beacon:
    """Return the first candidate below which ``Inventory\\Reader`` exists.

    Looked at: ImportXMLDirectory's parent, then ``Compliance\\ImportProcedures`` below the data root, which
    is the option, the settings, DistributionLocation, BaseDirectory, or ProgramData. An explicit root
    comes before the registry. Raises BeaconError that lists what was looked at.
    """
    overrides = _overrides(registry)
    looked: list[str] = []
    for rule, data_root, procedures in _candidates(registry, root, settings_root, program_data):
        if (procedures / "Inventory" / "Reader").is_dir():
            beside = procedures / "CustomInventory"
            registered = overrides if rule not in _EXPLICIT else None
            found = registered or (beside if beside.is_dir() else None)
            return Beacon(data_root, procedures, found, rule)
        looked.append(f"{rule}: {procedures} has no Inventory/Reader")
    raise BeaconError(
        "No beacon was found on this machine. Looked at:\n" + "\n".join(f"  {line}" for line in looked),
        hint="Name its data root with --root, or as root under [beacon] in bridge.toml.",
    )


def _candidates(
    registry: Registry, root: Path | None, settings_root: Path | None, program_data: Path
) -> Iterator[tuple[str, Path, Path]]:
    """Yield rule, data root and ImportProcedures folder of each candidate, in order."""
    roots = list(_data_roots(registry, root, settings_root, program_data))
    explicit = [one for one in roots if one[0] in _EXPLICIT]
    for rule, data_root in explicit:
        yield rule, data_root, _procedures(data_root)
    if explicit:
        return  # who names a root does not want another beacon to be taken instead
    if text := registry.value(COMPLIANCE_KEY, "ImportXMLDirectory"):
        procedures = _folder(text).parent
        yield "ImportXMLDirectory", _root_of(procedures, roots), procedures
    for rule, data_root in roots:
        yield rule, data_root, _procedures(data_root)


def _data_roots(
    registry: Registry, root: Path | None, settings_root: Path | None, program_data: Path
) -> Iterator[tuple[str, Path]]:
    if root:
        yield "--root", root
    elif settings_root:
        yield "[beacon] root", settings_root
    for key in (COMPLIANCE_KEY, COMMON_KEY, BEACON_KEY):
        if text := registry.value(key, "DistributionLocation"):
            yield "DistributionLocation", _folder(text)
    if text := registry.value(BEACON_KEY, "BaseDirectory"):
        base = _folder(text)
        yield "BaseDirectory", base.parent if base.name.casefold() == "beacon" else base
    yield "ProgramData", program_data / "Flexera Software"


def _procedures(data_root: Path) -> Path:
    return data_root / "Compliance" / "ImportProcedures"


def _root_of(procedures: Path, roots: list[tuple[str, Path]]) -> Path:
    """Return the data root that procedures found by ImportXMLDirectory belong to."""
    if procedures.parent.name.casefold() == "compliance":
        return procedures.parent.parent
    return roots[0][1]


def _overrides(registry: Registry) -> Path | None:
    text = registry.value(COMPLIANCE_KEY, "CustomImportXMLDirectory")
    return _folder(text) if text else None


def _folder(text: str) -> Path:
    """Return a registry value as a folder; it may end in a separator."""
    return Path(text.strip().rstrip("\\/") or text)


def shipped() -> Path:
    """Return our own ImportProcedures tree, as it travels in the wheel."""
    return Path(str(resources.files("bridge.importprocedures")))


def folders(beacon: Beacon) -> tuple[Path, ...]:
    """Return the beacon's reader folders, by name."""
    return tuple(sorted(path for path in beacon.readers.iterdir() if path.is_dir()))


def source_type_label(reader: str, release: str | None) -> str:
    """Return the Source Type as the beacon of that release shows it (facts/beacon.md, sections 1 and 2).

    The deprecated connector got its suffix with 2019 R1; without a release both labels are shown.
    """
    if reader != DEPRECATED:
        return reader
    if release is None:
        return f"{DEPRECATED} (deprecated) / {DEPRECATED}"
    year, number = re.findall(r"\d+", release)[:2]
    return DEPRECATED if (int(year), int(number)) < _RELABELLED else f"{DEPRECATED} (deprecated)"
