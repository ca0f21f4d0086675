"""Where this beacon keeps its procedures and its data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from bridge.errors import BeaconError
from bridge.system import Registry

# Keys of the 32-bit registry view, as a beacon's installer and public deployment scripts name them; the view
# is the registry's own business.
BEACON_KEY = r"SOFTWARE\ManageSoft Corp\ManageSoft\Beacon\CurrentVersion"
COMPLIANCE_KEY = r"SOFTWARE\ManageSoft Corp\ManageSoft\Compliance\CurrentVersion"
COMMON_KEY = r"SOFTWARE\ManageSoft Corp\ManageSoft\Common"

DEPRECATED = "Microsoft Office 365"
_RELABELLED = (2019, 1)  # the release that began to say "(deprecated)"


@dataclass(frozen=True, slots=True)
class Beacon:
    """The beacon's folders: data root, ImportProcedures, the override tree (there or not), who said so."""

    data_root: Path
    procedures: Path
    overrides: Path
    found_by: str

    @property
    def readers(self) -> Path:
        """The folder of reader folders."""
        return self.procedures / "Inventory" / "Reader"


def find(registry: Registry, *, root: Path | None, settings_root: Path | None, program_data: Path) -> Beacon:
    """Return the first candidate below which ``Inventory\\Reader`` exists.

    Looked at: ImportXMLDirectory's parent, then ``Compliance\\ImportProcedures`` below the data root, which
    is DistributionLocation, BaseDirectory (its parent, when that ends in Beacon) or ProgramData. A root that
    is named, by the option or else by the settings, is the only candidate: who names one does not want
    another beacon to answer. Raises BeaconError that lists what was looked at, in order.
    """
    named = _named(root, settings_root)
    looked: list[str] = []
    for one in (named,) if named else _registered(registry, program_data):
        if one.readers.is_dir():
            return one
        looked.append(f"{one.found_by}: {one.readers} is not there")
    raise BeaconError(
        "No beacon was found on this machine. Looked at:\n" + "\n".join(f"  {line}" for line in looked),
        hint="Name its data root, the folder that holds Compliance, with --root or as root under [beacon].",
    )


def _named(root: Path | None, settings_root: Path | None) -> Beacon | None:
    if root:
        return _below(root.absolute(), "--root")
    return _below(settings_root.absolute(), "[beacon] root") if settings_root else None


def _registered(registry: Registry, program_data: Path) -> Iterator[Beacon]:
    """Yield what the registry names, then the default; the registry's override tree belongs to each."""
    roots = list(_data_roots(registry, program_data))
    candidates = [_below(folder, rule) for rule, folder in roots]
    if folder := _folder(registry, COMPLIANCE_KEY, "ImportXMLDirectory"):
        procedures = folder.parent
        below = procedures.parent.name.casefold() == "compliance"
        data_root = procedures.parent.parent if below else roots[0][1]
        candidates.insert(
            0, Beacon(data_root, procedures, procedures / "CustomInventory", "ImportXMLDirectory")
        )
    overrides = _folder(registry, COMPLIANCE_KEY, "CustomImportXMLDirectory")
    for one in candidates:
        yield replace(one, overrides=overrides) if overrides else one


def _data_roots(registry: Registry, program_data: Path) -> Iterator[tuple[str, Path]]:
    for key in (COMPLIANCE_KEY, COMMON_KEY, BEACON_KEY):
        if folder := _folder(registry, key, "DistributionLocation"):
            yield "DistributionLocation", folder
    if base := _folder(registry, BEACON_KEY, "BaseDirectory"):
        yield "BaseDirectory", base.parent if base.name.casefold() == "beacon" else base
    yield "ProgramData", program_data / "Flexera Software"


def _below(data_root: Path, rule: str) -> Beacon:
    procedures = data_root / "Compliance" / "ImportProcedures"
    return Beacon(data_root, procedures, procedures / "CustomInventory", rule)


def _folder(registry: Registry, key: str, name: str) -> Path | None:
    """Return a registry value as a folder, with or without quotes and a separator at its end."""
    text = (registry.value(key, name) or "").strip().strip('"')
    return Path(text).absolute() if text else None


def shipped() -> Path:
    """Return our own ImportProcedures tree, as it travels in the wheel."""
    return Path(str(resources.files("bridge.importprocedures")))


def shipped_readers() -> Path:
    """Return the folder of our own reader folders."""
    return shipped() / "Inventory" / "Reader"


def folders(readers: Path) -> tuple[Path, ...]:
    """Return the reader folders below a folder, by name; none if it is not there."""
    try:
        return tuple(sorted(path for path in readers.iterdir() if path.is_dir()))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise BeaconError(f"{readers} cannot be listed: {error.strerror or error}.") from error


def is_deprecated(reader: str) -> bool:
    """Return whether that is the name of the deprecated connector's folder."""
    return reader.casefold() == DEPRECATED.casefold()


def source_type_label(reader: str, release: str | None) -> str:
    """Return the Source Type as the beacon of that release, such as ``2024 R1``, shows it.

    The deprecated connector got its suffix with 2019 R1; without a release both labels are shown. Source:
    docs.flexera.com/FlexNetManagerSuite2022R1/EN/WebHelp/tasks/ManageO365Connection_OLH.html.
    """
    if not is_deprecated(reader):
        return reader
    if release is None:
        return f"{DEPRECATED} (deprecated) / {DEPRECATED}"
    year, number = re.findall(r"\d+", release)[:2]
    return DEPRECATED if (int(year), int(number)) < _RELABELLED else f"{DEPRECATED} (deprecated)"
