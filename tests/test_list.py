"""`beacon-bridge list`: the reader folders, one of them, or its census."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import main
from tests.folders import HOLDER, make_beacon, make_reader_folder, reader_parent, readers_xml, source_step

RETIRED = "become Retired"


class Listing:
    """A beacon in a temporary folder, and what `beacon-bridge list` says of it."""

    def __init__(self, tmp_path: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root = make_beacon(tmp_path)
        self.readers = reader_parent(self.root)
        self.config = tmp_path / "bridge.toml"
        self.state = tmp_path / "state"
        self.capture = capture
        self.settings("")

    def settings(self, beacon: str) -> None:
        """Write the settings with these lines under [beacon]."""
        self.config.write_text(f"[beacon]\n{beacon}\n[bridge]\nstate = '{self.state}'\n")

    def __call__(self, *arguments: str, root: Path | None = None) -> tuple[int, str, str]:
        """Run the command: exit code, standard output, standard error."""
        options = ["--config", str(self.config), "--root", str(root or self.root)]
        code = main(["list", *arguments, *options])
        out, err = self.capture.readouterr()
        return code, out, err

    def json(self, *arguments: str) -> Any:
        """Run the command with --json; it must succeed, and print one value and nothing else."""
        code, out, _ = self(*arguments, "--json")
        assert code == 0
        return json.loads(out)


@pytest.fixture
def listing(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Listing:
    """A beacon without reader folders, on a terminal that is wide enough for a table."""
    monkeypatch.setenv("COLUMNS", "240")
    return Listing(tmp_path, capsys)


def test_each_folder_is_a_line_with_whose_it_is(listing: Listing) -> None:
    """The beacon's folders and ours are listed, with source type, parameters and numbers of steps."""
    make_reader_folder(listing.readers, "Microsoft Office 365")
    code, out, err = listing()
    assert code == 0
    rows = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    label = "Microsoft Office 365 (deprecated) / Microsoft Office 365"
    assert ["Microsoft Office 365", label, "the beacon's", "ServiceUrl, ApiKey", "1", "1", "ok"] in rows
    assert any(row[:3] == ["bridge:Microsoft 365", "Microsoft 365", "ours"] for row in rows)
    assert f"{listing.readers} (found by --root)" in err


@pytest.mark.parametrize(
    ("release", "label"),
    [("2018 R2", "Microsoft Office 365"), ("2024 R1", "Microsoft Office 365 (deprecated)")],
)
def test_the_label_follows_the_release(listing: Listing, release: str, label: str) -> None:
    """[beacon] release decides what the source type is called."""
    make_reader_folder(listing.readers, "Microsoft Office 365")
    listing.settings(f'release = "{release}"')
    assert listing.json()[0]["source_type"] == label


def test_a_broken_folder_has_its_reason_and_hides_no_other(listing: Listing) -> None:
    """The list is whole and ends well although one folder cannot be read."""
    make_reader_folder(listing.readers, "Broken", readers={"A.xml": "<Readers>"})
    make_reader_folder(listing.readers, "Whole")
    code, out, _ = listing()
    assert code == 0
    assert re.search(r"^Broken +Broken +the beacon's +broken$", out, re.MULTILINE)
    assert re.search(r"^Broken is broken: .*A\.xml:1: this is no well-formed XML", out, re.MULTILINE)
    assert re.search(r"^Whole .* ok", out, re.MULTILINE)
    broken, whole = listing.json()[:2]
    assert (broken["name"], broken["error"]["name"], broken["error"]["exit_code"]) == (
        *("Broken", "BeaconError"),
        4,
    )
    assert "error" not in whole


def test_a_missing_deprecated_folder_is_explained(listing: Listing) -> None:
    """A beacon upgrade may have removed it; where it is, nothing is said."""
    assert "a beacon upgrade may have removed it" in listing()[2]
    make_reader_folder(listing.readers, "Microsoft Office 365")
    assert "a beacon upgrade may have removed it" not in listing()[2]


def test_sql_adapters_are_named_as_left_out(listing: Listing) -> None:
    """What is not ours to run is no row, and is not passed over in silence."""
    (listing.readers / "SCCM").mkdir()
    (listing.readers / "SCCM" / "reader.config").write_text("<Configuration/>")
    _, out, err = listing()
    assert "SCCM" not in out
    assert "Left out, because they are SQL adapters: SCCM." in err


def test_warnings_of_folders_are_told(listing: Listing) -> None:
    """What was taken with a warning says so in the list."""
    make_reader_folder(listing.readers, procedures={"Holder.xml": "CloudInstance"})
    assert "warning: Badge Service: readerV3.config:14: the procedure CloudInstance" in listing()[2]


def test_without_a_beacon_ours_are_listed_and_the_places_named(listing: Listing, tmp_path: Path) -> None:
    """No beacon is told with what was looked at; our own folders do not need one."""
    code, out, err = listing(root=tmp_path / "nowhere")
    assert code == 0
    assert "bridge:Microsoft 365" in out
    assert "No beacon was found on this machine. Looked at:\n  --root: " in err
    assert "Next: " in err


def test_a_reader_without_a_beacon_is_an_error(listing: Listing, tmp_path: Path) -> None:
    """A bare name means the beacon's folder, and there is no beacon: exit code 4."""
    code, _, err = listing("Microsoft 365", root=tmp_path / "nowhere")
    assert code == 4
    assert "No beacon was found" in err
    assert listing("bridge:Microsoft 365", root=tmp_path / "nowhere")[0] == 0


@pytest.mark.parametrize("said", ["yes", "no", "unknown"])
def test_saas_management_is_told_when_it_is_in_use(listing: Listing, said: str) -> None:
    """Only "yes" says that these licences become Retired."""
    listing.settings(f'saas_management = "{said}"')
    make_reader_folder(listing.readers)
    assert (RETIRED in listing()[2]) == (said == "yes")
    assert (RETIRED in listing("Badge Service")[1]) == (said == "yes")


def test_one_folder_in_full(listing: Listing) -> None:
    """Parameters, steps in run order with where each runs, and columns."""
    folder = make_reader_folder(listing.readers)
    code, out, _ = listing("badge service")
    assert code == 0
    rows = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    assert ["Badge Service: source type Badge Service, the beacon's"] in rows
    assert [f"folder {folder}"] in rows
    assert ["ApiKey", "API key", "password", "yes", "yes"] in rows
    assert ["1", "Holder.xml/PrepareHolder", "Computer", "100", "the server"] in rows
    assert ["2", "Holder.xml/LoadHolder", "Computer", "110", "this machine", "ListHolders", "#Holder"] in rows
    assert ["Holder.xml/LoadHolder", "Mail", "nvarchar(200)", "Mail"] in rows


def test_one_folder_in_full_as_json(listing: Listing) -> None:
    """The value is an object with everything that the folder declares."""
    make_reader_folder(listing.readers)
    found = listing.json("Badge Service")
    assert (found["name"], found["owner"], found["source_type"]) == (
        "Badge Service",
        "beacon",
        "Badge Service",
    )
    assert [(step["id"], step["runs_on"]) for step in found["steps"]] == [
        ("Holder.xml/PrepareHolder", "the server"),
        ("Holder.xml/LoadHolder", "this machine"),
    ]
    assert found["steps"][1]["columns"][1] == {
        "name": "Mail",
        "type": "nvarchar",
        "prop": "Mail",
        "length": 200,
        "precision": None,
        "scale": None,
    }
    assert sorted(found["files"]) == ["Badges.ps1", "Holder.xml", "readerV3.config"]
    assert found == listing.json()[0]


def test_overrides_and_versions_are_remarks(listing: Listing) -> None:
    """A step says from which version on it applies and which file overrides it."""
    make_reader_folder(
        listing.readers, readers={"Holder.xml": readers_xml(source_step(more='VersionFrom="2.0"'))}
    )
    place = listing.root / "Compliance" / "ImportProcedures" / "CustomInventory" / "Reader" / "Badge Service"
    place.mkdir(parents=True)
    (place / "Holder.xml").write_text(HOLDER)
    _, out, _ = listing("Badge Service")
    assert f"override {place / 'Holder.xml'}" in out
    (place / "Holder.xml").unlink()
    assert "from version 2.0" in listing("Badge Service")[1]


def test_a_broken_folder_by_name_is_an_error_with_a_hint(listing: Listing) -> None:
    """Exit code 4, file and line, and the census as what to do next."""
    make_reader_folder(listing.readers, config="<Configuration")
    code, out, err = listing("Badge Service")
    assert (code, out) == (4, "")
    assert "readerV3.config:1: " in err
    assert "--census" in err


def test_a_missing_deprecated_folder_by_name(listing: Listing) -> None:
    """The error itself says that an upgrade may have removed it."""
    code, _, err = listing("Microsoft Office 365")
    assert code == 4
    assert "a beacon upgrade may have removed" in err
    assert listing("Microsoft Office 365", "--census")[0] == 4


@pytest.mark.parametrize("config", [None, b"<Configuration"], ids=["whole", "broken"])
def test_a_census_from_the_command_line(listing: Listing, config: bytes | None) -> None:
    """A census works for a whole and for a broken folder, for people and for scripts."""
    make_reader_folder(listing.readers, config=config)
    code, out, _ = listing("Badge Service", "--census")
    assert code == 0
    assert "       2 <Readers/Reader>" in out.splitlines()
    assert "LoadHolder" not in out
    assert "Tls12" not in out
    found = {one["name"]: one for one in listing.json("Badge Service", "--census")}
    assert found["Holder.xml"]["counts"]["<Readers/Reader>"] == 2
    assert bool(found["readerV3.config"]["error"]) == (config is not None)


def test_a_census_wants_a_name(listing: Listing) -> None:
    """--census alone is a usage error."""
    assert listing("--census")[0] == 2


def test_listing_makes_no_state_folder(listing: Listing) -> None:
    """Looking leaves nothing behind."""
    make_reader_folder(listing.readers)
    listing()
    assert not listing.state.exists()
