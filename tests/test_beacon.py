"""Where the beacon keeps its procedures and its data, asked of an injected registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge import beacon
from bridge.beacon import BEACON_KEY, COMMON_KEY, COMPLIANCE_KEY, Beacon
from bridge.errors import BeaconError
from tests.folders import Values, make_beacon


def find(tmp_path: Path, values: dict[tuple[str, str], str], **roots: Path) -> Beacon:
    """Find the beacon with ``tmp_path/ProgramData`` as the known folder."""
    return beacon.find(
        Values(values),
        root=roots.get("root"),
        settings_root=roots.get("settings_root"),
        program_data=tmp_path / "ProgramData",
    )


def procedures(root: Path) -> Path:
    """Return the ImportProcedures folder of a data root."""
    return root / "Compliance" / "ImportProcedures"


def everywhere(tmp_path: Path) -> tuple[dict[str, Path], dict[tuple[str, str], str]]:
    """Make a beacon at every place that is looked at, and a registry that names each."""
    rules = ("--root", "[beacon] root", "ImportXMLDirectory", "DistributionLocation", "BaseDirectory")
    roots = {rule: make_beacon(tmp_path / rule.strip("-[] ")) for rule in rules}
    roots["ProgramData"] = make_beacon(tmp_path / "ProgramData")
    values = {
        (COMPLIANCE_KEY, "ImportXMLDirectory"): f"{procedures(roots['ImportXMLDirectory'])}/Inventory",
        (COMPLIANCE_KEY, "DistributionLocation"): f"{roots['DistributionLocation']}",
        (BEACON_KEY, "BaseDirectory"): f"{roots['BaseDirectory']}/Beacon",
    }
    return roots, values


ORDER = ["ImportXMLDirectory", "DistributionLocation", "BaseDirectory", "ProgramData"]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_registry_is_asked_in_order_and_a_place_without_readers_does_not_count(
    tmp_path: Path, first: int
) -> None:
    """The first of the places that has Inventory/Reader is the beacon; those before it have lost theirs."""
    roots, values = everywhere(tmp_path)
    for rule in ORDER[:first]:
        (procedures(roots[rule]) / "Inventory" / "Reader").rmdir()
    found = find(tmp_path, values)
    assert (found.found_by, found.procedures) == (ORDER[first], procedures(roots[ORDER[first]]))
    assert found.data_root == roots[ORDER[first]]


@pytest.mark.parametrize(("name", "rule"), [("root", "--root"), ("settings_root", "[beacon] root")])
def test_a_named_root_comes_before_the_registry(tmp_path: Path, name: str, rule: str) -> None:
    """Who names a root gets that beacon, with the override tree beside its Inventory."""
    roots, values = everywhere(tmp_path)
    values[COMPLIANCE_KEY, "CustomImportXMLDirectory"] = str(tmp_path / "elsewhere" / "CustomInventory")
    found = find(tmp_path, values, **{name: roots[rule]})
    assert (found.found_by, found.data_root) == (rule, roots[rule])
    assert found.overrides == procedures(roots[rule]) / "CustomInventory"


def test_the_option_comes_before_the_settings(tmp_path: Path) -> None:
    """--root wins over [beacon] root."""
    roots, _ = everywhere(tmp_path)
    found = find(tmp_path, {}, root=roots["--root"], settings_root=roots["[beacon] root"])
    assert found.found_by == "--root"


def test_a_named_root_without_readers_is_not_replaced_by_another_beacon(tmp_path: Path) -> None:
    """A wrong --root is an error although the registry names a beacon that is there."""
    _, values = everywhere(tmp_path)
    with pytest.raises(BeaconError, match=r"--root: .*wrong") as caught:
        find(tmp_path, values, root=tmp_path / "wrong")
    assert "ProgramData" not in str(caught.value)


def test_a_relative_root_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child process has another working folder, so no relative path may reach it."""
    make_beacon(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert find(tmp_path, {}, root=Path("Flexera Software")).data_root == tmp_path / "Flexera Software"


def test_nothing_found_lists_what_was_looked_at_in_order(tmp_path: Path) -> None:
    """The error names every rule with its folder, in order, and how to name a root."""
    values = {
        (COMPLIANCE_KEY, "ImportXMLDirectory"): str(tmp_path / "a" / "Inventory"),
        (COMMON_KEY, "DistributionLocation"): str(tmp_path / "b"),
        (BEACON_KEY, "BaseDirectory"): str(tmp_path / "c" / "Beacon"),
    }
    with pytest.raises(BeaconError) as caught:
        find(tmp_path, values)
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == ORDER
    for part, line in zip(("a", "b", "c", "ProgramData"), lines, strict=True):
        assert str(tmp_path / part) in line
    assert "--root" in caught.value.hint
    assert caught.value.exit_code == 4


def test_no_registry_values_and_no_folder_names_the_default(tmp_path: Path) -> None:
    """On a machine without a beacon only the default was looked at."""
    with pytest.raises(BeaconError) as caught:
        find(tmp_path, {})
    assert str(tmp_path / "ProgramData" / "Flexera Software") in str(caught.value)


@pytest.mark.parametrize("form", ["{}", "{}/", "{}//", '"{}"', "  {} "])
@pytest.mark.parametrize("last", ["Beacon", "beacon", ""])
def test_base_directory_leads_to_its_parent_only_when_it_ends_in_beacon(
    tmp_path: Path, form: str, last: str
) -> None:
    """The registry holds the Beacon folder, or the data root itself; a separator at its end is nothing."""
    root = make_beacon(tmp_path)
    value = form.format(root / last if last else root)
    assert find(tmp_path, {(BEACON_KEY, "BaseDirectory"): value}).data_root == root


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_registry_value_is_none(tmp_path: Path, value: str) -> None:
    """An empty ImportXMLDirectory is not the folder the program runs in."""
    make_beacon(tmp_path / "ProgramData")
    assert find(tmp_path, {(COMPLIANCE_KEY, "ImportXMLDirectory"): value}).found_by == "ProgramData"


@pytest.mark.parametrize("key", [COMPLIANCE_KEY, COMMON_KEY, BEACON_KEY])
def test_distribution_location_is_taken_from_wherever_it_is(tmp_path: Path, key: str) -> None:
    """No public page says below which key it lies, so each of the three is asked."""
    root = make_beacon(tmp_path)
    assert find(tmp_path, {(key, "DistributionLocation"): f"{root}/"}).data_root == root


def test_overrides_come_from_the_registry_else_from_beside_inventory(tmp_path: Path) -> None:
    """CustomImportXMLDirectory is the override tree; without it the tree lies beside Inventory."""
    root = make_beacon(tmp_path)
    named = {(COMPLIANCE_KEY, "ImportXMLDirectory"): f"{procedures(root)}/Inventory/"}
    assert find(tmp_path, named).overrides == procedures(root) / "CustomInventory"
    named[COMPLIANCE_KEY, "CustomImportXMLDirectory"] = f"{tmp_path}/own/CustomInventory/"
    assert find(tmp_path, named).overrides == tmp_path / "own" / "CustomInventory"


def test_procedures_outside_a_data_root_take_the_data_root_from_the_next_rule(tmp_path: Path) -> None:
    """A procedures tree of its own says nothing about the data root, which is then asked for."""
    tree = tmp_path / "procedures"
    (tree / "Inventory" / "Reader").mkdir(parents=True)
    values = {
        (COMPLIANCE_KEY, "ImportXMLDirectory"): f"{tree}/Inventory",
        (BEACON_KEY, "BaseDirectory"): f"{tmp_path}/data/Beacon",
    }
    found = find(tmp_path, values)
    assert (found.procedures, found.data_root) == (tree, tmp_path / "data")


def test_the_keys_are_those_of_the_32_bit_view() -> None:
    """Keys are opened without Wow6432Node: the view adds it."""
    for key in (BEACON_KEY, COMPLIANCE_KEY, COMMON_KEY):
        assert key.startswith("SOFTWARE\\ManageSoft Corp\\ManageSoft\\")


@pytest.mark.parametrize(
    ("reader", "release", "label"),
    [
        ("Microsoft 365", None, "Microsoft 365"),
        ("Microsoft 365", "2018 R2", "Microsoft 365"),
        ("Microsoft Office 365", "2018 R2", "Microsoft Office 365"),
        ("Microsoft Office 365", "2018 R2.5", "Microsoft Office 365"),
        ("Microsoft Office 365", "2019 R1", "Microsoft Office 365 (deprecated)"),
        ("Microsoft Office 365", "2024 R1", "Microsoft Office 365 (deprecated)"),
        ("Microsoft Office 365", None, "Microsoft Office 365 (deprecated) / Microsoft Office 365"),
        ("Badge Service", "2024 R1", "Badge Service"),
    ],
)
def test_the_source_type_is_named_as_the_release_names_it(
    reader: str, release: str | None, label: str
) -> None:
    """The deprecated connector got its suffix with 2019 R1; both labels when the release is unknown."""
    assert beacon.source_type_label(reader, release) == label


def test_our_own_readers_are_there() -> None:
    """The tree that travels with the program holds our Microsoft 365 reader."""
    assert "Microsoft 365" in {path.name for path in beacon.folders(beacon.shipped_readers())}


def test_folders_of_a_tree_that_is_not_there_are_none(tmp_path: Path) -> None:
    """Listing what is not there is no failure of its own; files are no folders."""
    assert beacon.folders(tmp_path / "nowhere") == ()
    (tmp_path / "file.txt").touch()
    (tmp_path / "B").mkdir()
    (tmp_path / "A").mkdir()
    assert [path.name for path in beacon.folders(tmp_path)] == ["A", "B"]
