"""Every trap that a reader's code can set, in real PowerShell: no row is lost, no failure is a success."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from bridge.errors import ReaderError, ReaderOutputError, SettingsError, SignInError
from bridge.model import Gap, Owner, Secret, Talk
from tests.folders import PARAMETERS, TEST_CONNECTION, VERSION_CHECK
from tests.reading import FUNCTIONS, VALUES, Body, Reading, Together, this_powershell

pytestmark = pytest.mark.powershell

PLAIN: dict[str, Body] = {}  # step -> body; one PowerShell runs them all, and each has its test
PLAIN["Early"] = Body("return")
OURS: dict[str, Body] = {}  # the same for a folder of our own


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Together:
    """Return the steps of PLAIN, run."""
    together = Together(
        tmp_path_factory.mktemp("plain"),
        steps=PLAIN,
        before="""
        $global:Kept = 'kept'
        Write-Warning 'an old module'; Write-Error 'known' -ErrorId Known -ErrorAction Continue
        """,
        tolerate_errors=("Known,Badges.ps1", "Known.Harmless,ListTolerateds"),
        skip_patterns=(r"(?i)\bskip(ped|ping)?\b",),
        token=lambda _: Secret("never"),
    )
    together.collect()
    return together


asked: list[Secret | None] = []


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Together:
    """Return the steps of OURS, run."""

    def source(rejected: Secret | None) -> Secret:
        asked.append(rejected)
        return Secret(f"token-{len(asked)}")

    together = Together(
        tmp_path_factory.mktemp("ours"),
        steps=OURS,
        owner=Owner.BRIDGE,
        before="Write-Warning 'gap before: said once'",
        token=source,
    )
    together.collect()
    return together


def refusal(
    folder: Path, body: str, kind: type[Exception] = ReaderError, columns: tuple[str, ...] = ("A",)
) -> str:
    """Return what a failing step's error says; there must be no capture then."""
    reading = Reading(folder, body, columns)
    with pytest.raises(kind) as caught:
        reading.collect()
    assert not reading.capture.exists()
    return str(caught.value)


@dataclass(frozen=True)
class Refused:
    """A reading whose step failed, and what its error says."""

    reading: Reading
    error: str

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Run a step that must fail."""
        with pytest.raises(ReaderError) as caught:
            reading.collect()
        return cls(reading, str(caught.value))


# --- rows ---


PLAIN["Changed"] = Body(
    "$row = New-Object PSObject -Property @{ A = 0 }; foreach ($n in 1..3) { $row.A = $n; $row }"
)


def test_an_object_that_is_changed_and_emitted_again_is_a_row_each_time(plain: Together) -> None:
    """The properties are read the moment the object is emitted."""
    assert [row["A"] for row in plain.rows_of("Changed")] == ["1", "2", "3"]


PLAIN["Ordered"] = Body(
    "New-Object PSObject -Property @{ third = 3; FIRST = 1; Second = 2; More = 4 }",
    ("First", "Second", "Third"),
)


def test_columns_come_by_property_in_declared_order(plain: Together) -> None:
    """A hash table's own order does not matter, nor does the case of a property's name."""
    rows = plain.rows_of("Ordered")
    assert rows == [{"First": "1", "Second": "2", "Third": "3"}]


PLAIN["Nothing"] = Body("return")


def test_a_reader_that_emits_nothing_has_no_rows(plain: Together) -> None:
    """Zero rows without an error are a result."""
    assert plain.rows_of("Nothing") == []
    assert plain.collected["Nothing"].path.exists()


@pytest.mark.parametrize(
    ("emitted", "found"),
    [
        ("$null", "row 2 is null"),
        ("'a text'", "row 2 is a System.String"),
        ("5", "row 2 is a System.Int32"),
        (", @(1, 2)", "row 2 is a whole System.Object[]"),
        ("& printf 'from a program'", "row 2 is a System.String"),
    ],
)
def test_what_is_no_row_is_named_with_its_number(tmp_path: Path, emitted: str, found: str) -> None:
    """Null, a text, a number, an array and a program's output are no rows, and none is dropped."""
    body = f"New-Object PSObject -Property @{{ A = 1 }}; {emitted}"
    said = refusal(tmp_path, body, ReaderOutputError)
    assert found in said
    assert "Holder.xml/LoadHolder" in said


def test_a_missing_property_is_an_error(tmp_path: Path) -> None:
    """A row without a declared property is not taken for a null."""
    body = "New-Object PSObject -Property @{ A = 1; B = 2 }; New-Object PSObject -Property @{ A = 1 }"
    said = refusal(tmp_path, body, ReaderOutputError, ("A", "B"))
    assert "row 2" in said
    assert "'B'" in said


def test_a_missing_key_of_a_hashtable_row_is_an_error(tmp_path: Path) -> None:
    """A hashtable is a row; a key that it lacks is not taken for a null."""
    said = refusal(tmp_path, "@{ A = 1; B = $null }; @{ A = 2 }", ReaderOutputError, ("A", "B"))
    assert "row 2" in said
    assert "'B'" in said


PLAIN["Tabled"] = Body(
    """
    @{ A = 'one'; B = $null }
    [ordered]@{ B = ''; A = 'two' }
    $table = New-Object System.Data.DataTable
    [void]$table.Columns.Add('A'); [void]$table.Columns.Add('B')
    [void]$table.Rows.Add('three', [DBNull]::Value)
    $table.Rows | ForEach-Object { $_ }
    """,
    ("A", "B"),
)


def test_hashtables_and_data_rows_are_rows(plain: Together) -> None:
    """Properties of dictionaries and adapted objects are read like those of others; DBNull is null."""
    rows = plain.rows_of("Tabled")
    assert [(row["A"], row["B"]) for row in rows] == [("one", None), ("two", ""), ("three", None)]


PLAIN["Empty"] = Body("New-Object PSObject -Property @{ A = $null; B = '' }", ("A", "B"))


def test_null_and_empty_are_told_apart(plain: Together) -> None:
    """Null is no attribute, the empty text is an empty one."""
    assert plain.rows_of("Empty") == [{"A": None, "B": ""}]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("@(1, 2)", "System.Object[]"),
        ("@()", "System.Object[]"),
        ("(New-Object PSObject -Property @{ X = 1 })", "System.Management.Automation.PSCustomObject"),
        ("@{ X = 1 }", "System.Collections.Hashtable"),
        ("([byte[]](1, 2))", "System.Byte[]"),
        ("(ConvertTo-SecureString 'x' -AsPlainText -Force)", "System.Security.SecureString"),
    ],
)
def test_what_is_no_single_value_is_named_with_its_type(tmp_path: Path, expression: str, found: str) -> None:
    """A nested value is never flattened to a text: step, row, column and .NET type are named."""
    body = f"New-Object PSObject -Property @{{ A = {expression} }}"
    said = refusal(tmp_path, body, ReaderOutputError)
    assert "row 1, column A" in said
    assert found in said


def test_a_late_property_that_throws_is_seen(tmp_path: Path) -> None:
    """Every kind of row is looked at again where its shape may have changed."""
    body = """
    foreach ($n in 1..300) {
        if ($n -le 256) { New-Object PSObject -Property @{ A = $null } }
        else { $row = New-Object PSObject; $row | Add-Member ScriptProperty A { throw 'no A today' }; $row }
    }
    """
    assert "row 257, column A: no A today" in refusal(tmp_path, body, ReaderOutputError)


def test_a_property_that_throws_fails_the_step(tmp_path: Path) -> None:
    """The serializers leave such a property out without a word; the host does not."""
    body = "$row = New-Object PSObject; $row | Add-Member ScriptProperty A { throw 'no A today' }; $row"
    assert "row 1, column A: no A today" in refusal(tmp_path, body, ReaderOutputError)


def test_a_reader_that_traps_a_refusal_loses_no_row_unseen(tmp_path: Path) -> None:
    """`trap { continue }` swallows what the writer throws; rows are counted before they are refused."""
    body = """
    trap { continue }
    New-Object PSObject -Property @{ A = 1 }
    $null
    New-Object PSObject -Property @{ A = @(1, 2) }
    New-Object PSObject
    New-Object PSObject -Property @{ A = 3 }
    """
    assert "3 of 5 rows were refused" in refusal(tmp_path, body, ReaderOutputError)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("(New-Object PSObject -Property @{ A = 1 })", "Count"),
        ("(New-Object PSObject -Property @{ A = 1 })", "Length"),
        ("@{ A = 1 }", "Count"),
        ("@{ A = 1 }", "Keys"),
    ],
)
def test_what_every_object_answers_to_is_no_property(tmp_path: Path, row: str, name: str) -> None:
    """PowerShell has a Count for anything; a row without that property is still a row without it."""
    said = refusal(tmp_path, row, ReaderOutputError, ("A", name))
    assert name in said


# --- values ---


VALUES_AND_TEXTS: list[tuple[str, str | None]] = [
    ("$true", "true"),
    ("$false", "false"),
    ("[int]-5", "-5"),
    ("[long]9007199254740993", "9007199254740993"),
    ("[uint64]18446744073709551615", "18446744073709551615"),
    ("[decimal]::Parse('1.50', [Globalization.CultureInfo]::InvariantCulture)", "1.50"),
    ("[double]1.5", "1.5"),
    ("[double]0.1", "0.1"),
    ("[single]0.5", "0.5"),
    ("[guid]'6F9619FF-8B86-D011-B42D-00CF4FC964FF'", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
    ("[timespan]'1.02:03:04.5'", "1.02:03:04.5000000"),
    ("[System.DayOfWeek]::Friday", "Friday"),
    ("[uri]'https://a.example/%C3%A4?b=c'", "https://a.example/%C3%A4?b=c"),
    ("[version]'1.2.3.4'", "1.2.3.4"),
    ("[char]'x'", "x"),
    ("[DBNull]::Value", None),
    ("(Get-Item /).Name.Insert(0, 'x')", "x/"),
]
MOMENTS_AND_TEXTS: list[tuple[str, str | None]] = [
    ("[datetime]::new(2026, 3, 29, 2, 30, 15, [DateTimeKind]::Utc)", "2026-03-29T02:30:15Z"),
    ("[datetime]::new(2026, 3, 29, 2, 30, 15, 120, [DateTimeKind]::Utc)", "2026-03-29T02:30:15.12Z"),
    ("[datetime]::new(2026, 3, 29, 2, 30, 15)", "2026-03-29T02:30:15"),
    ("[datetimeoffset]::new(2026, 3, 29, 2, 30, 15, [timespan]'02:00')", "2026-03-29T02:30:15+02:00"),
]


def emitting(cases: Sequence[tuple[str, str | None]]) -> Body:
    """Return the body that emits each case's expression, all as one row."""
    names = [f"A{number}" for number in range(len(cases))]
    cells = "; ".join(f"{name} = {one}" for name, (one, _) in zip(names, cases, strict=True))
    return Body(f"New-Object PSObject -Property @{{ {cells} }}", names)


def texts_of(
    row: dict[str, str | None], cases: Sequence[tuple[str, str | None]]
) -> list[tuple[str, str | None]]:
    """Return each case's expression with its cell text."""
    return [(expression, row[f"A{number}"]) for number, (expression, _) in enumerate(cases)]


PLAIN["Simple"] = emitting(VALUES_AND_TEXTS)
PLAIN["Moment"] = emitting(MOMENTS_AND_TEXTS)


def test_canonical_text_of_simple_values(plain: Together) -> None:
    """Each type has one text, the same in every culture and version."""
    assert texts_of(plain.rows_of("Simple")[0], VALUES_AND_TEXTS) == VALUES_AND_TEXTS


def test_moments_keep_their_zone_and_their_fraction(plain: Together) -> None:
    """UTC ends in Z, unspecified in nothing, an offset stays; no trailing zeros."""
    assert texts_of(plain.rows_of("Moment")[0], MOMENTS_AND_TEXTS) == MOMENTS_AND_TEXTS


PLAIN["Local"] = emitting([("[datetime]::new(2026, 7, 1, 2, 30, 15, [DateTimeKind]::Local)", None)])


def test_a_local_moment_carries_its_offset(plain: Together) -> None:
    """A local DateTime says which time zone's it is."""
    text = plain.rows_of("Local")[0]["A0"]
    assert text is not None
    assert text[19] in "+-"
    assert dt.datetime.fromisoformat(text) == dt.datetime(2026, 7, 1, 2, 30, 15).astimezone()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Together:
    """Return steps that are run in an environment of their own."""
    together = Together(
        tmp_path_factory.mktemp("elsewhere"),
        environment={
            **os.environ,
            "LANG": "de_DE.UTF-8",
            "PSModulePath": "/stray-path",
            "STRAY": "1",
            "https_proxy": "http://p:1",
        },
        steps={"Culture": CULTURE, "Environment": ENVIRONMENT},
    )
    together.collect()
    return together


CULTURE = Body(
    """
    $culture = (Get-Culture).Name
    New-Object PSObject -Property @{ A = 1.5; B = $culture; C = [decimal]2.25; D = (1.5).ToString() }
    """,
    ("A", "B", "C", "D"),
)


def test_the_culture_changes_no_text(elsewhere: Together) -> None:
    """Under de-DE a double keeps its point and a date its form."""
    row = elsewhere.rows_of("Culture")[0]
    if (row["B"], row["D"]) != ("de-DE", "1,5"):
        pytest.skip(f"this PowerShell has no German culture (no ICU): {row}")
    assert (row["A"], row["C"]) == ("1.5", "2.25")


# --- ends that are none ---


def test_exit_in_a_row_function_is_a_failure(tmp_path: Path) -> None:
    """After `exit` the engine says Completed and has no error; only the marker tells."""
    body = "New-Object PSObject -Property @{ A = 1 }; exit 0"
    assert "ended itself (exit)" in refusal(tmp_path, body)


@pytest.fixture(scope="module")
def thrown(tmp_path_factory: pytest.TempPathFactory) -> Refused:
    """Return what is left of a step that forges an event, tells its secret everywhere, and throws."""
    body = """
    New-Object PSObject -Property @{ A = 1 }
    $forged = '0123456789abcdef01234567 3 {"event":"done","step":"Holder.xml/LoadHolder","rows":0,"gaps":[]}'
    $bytes = [Text.Encoding]::ASCII.GetBytes("$forged`n"); $out = [Console]::OpenStandardOutput()
    $out.Write($bytes, 0, $bytes.Length); $out.Flush()
    Write-Verbose "key $ApiKey"; Write-Warning "key $ApiKey"; Write-Host "key $ApiKey"
    Start-Process -NoNewWindow -Wait printf "$ApiKey\\n"
    throw "stopped half way: key $ApiKey refused"
    """
    return Refused.of(Reading(tmp_path_factory.mktemp("thrown"), body))


def test_a_throw_after_rows_discards_the_step(thrown: Refused) -> None:
    """What came before a throw is incomplete; the message, the script and the line are told."""
    assert "stopped half way" in thrown.error
    assert "after 1 rows" in thrown.error
    assert "Badges.ps1, line" in thrown.error
    assert not thrown.reading.capture.exists()


@pytest.fixture(scope="module")
def soft(tmp_path_factory: pytest.TempPathFactory) -> Refused:
    """Return what is left of a step with three errors that end nothing; each of them is told."""
    body = """
    function Get-One { param([Parameter(Mandatory)][string]$Badge) $Badge }
    $x = Read-Host 'Name'
    Get-One
    New-Object PSObject -Property @{ A = 1 }; Write-Error 'one page was refused'
    """
    return Refused.of(Reading(tmp_path_factory.mktemp("soft"), body))


def test_a_prompt_is_a_failure(soft: Refused) -> None:
    """Read-Host leaves only an error record, and the pipeline goes on."""
    assert "prompts the user" in soft.error
    assert not soft.reading.capture.exists()


def test_a_mandatory_parameter_left_out_is_a_failure(soft: Refused) -> None:
    """PowerShell would ask for it: an error record and zero rows."""
    assert "Badge." in soft.error
    assert not soft.reading.capture.exists()


def test_what_a_service_said_is_told(tmp_path: Path) -> None:
    """The body of a refusal says more than its status line."""
    body = """
    $record = New-Object System.Management.Automation.ErrorRecord (
        (New-Object Exception '403 Forbidden'), 'Http', 'NotSpecified', $null)
    $record.ErrorDetails = New-Object System.Management.Automation.ErrorDetails '{"reason":"no seat for you"}'
    throw $record
    """
    said = refusal(tmp_path, body)
    assert '403 Forbidden: {"reason":"no seat for you"}' in said


def test_a_refused_token_of_our_own_reader_is_a_sign_in_error(tmp_path: Path) -> None:
    """Our readers begin what is wrong with a token by saying so; other folders' words mean nothing to us."""
    with pytest.raises(SignInError, match="expired"):
        Reading(tmp_path / "ours", "throw 'sign-in: it has expired'", owner=Owner.BRIDGE).collect()
    with pytest.raises(ReaderError, match="expired"):
        Reading(tmp_path / "theirs", "throw 'sign-in: it has expired'").collect()


def test_a_soft_error_fails_the_step(soft: Refused) -> None:
    """Write-Error ends nothing, but the rows around it are not complete."""
    assert "one page was refused" in soft.error
    assert not soft.reading.capture.exists()


PLAIN["Tolerated"] = Body(
    "Write-Error 'known' -ErrorId Known.Harmless; New-Object PSObject -Property @{ A = 1 }"
)


def test_a_tolerated_error_is_a_gap(plain: Together) -> None:
    """An error record whose id the connection lists is written down, and the step succeeds."""
    assert plain.collected["Tolerated"].gaps == (Gap("error", "known", 1),)


def test_another_errors_id_is_not_tolerated(tmp_path: Path) -> None:
    """The id is compared exactly."""
    reading = Reading(
        tmp_path, "Write-Error 'unknown' -ErrorId Other", tolerate_errors=("other,ListHolders",)
    )
    with pytest.raises(ReaderError, match="unknown"):
        reading.collect()


def test_a_native_programs_error_output_fails_the_step(tmp_path: Path) -> None:
    """It arrives as error records or as text in the log; it never becomes a row."""
    body = "& sh -c 'echo native-trouble >&2'; New-Object PSObject -Property @{ A = 1 }"
    reading = Reading(tmp_path, body)
    try:
        rows = reading.rows()
    except ReaderError as error:
        assert "native-trouble" in str(error)
    else:
        assert rows == [{"A": "1"}]
        assert "native-trouble" in reading.log


def test_a_parse_error_in_the_init_script_names_its_line(tmp_path: Path) -> None:
    """Nothing of such a script runs; its name and line are told."""
    reading = Reading(tmp_path, "return", before="\n\nif ($true {\n")
    with pytest.raises(ReaderError, match=r"Badges\.ps1.*line 3"):
        reading.collect()


def test_a_throw_in_the_init_script_is_a_failure(tmp_path: Path) -> None:
    """A script that stops while it is loaded has not been loaded."""
    with pytest.raises(ReaderError, match="not on this machine"):
        Reading(tmp_path, "return", before="throw 'not on this machine'").collect()


def test_exit_in_the_init_script_is_a_failure(tmp_path: Path) -> None:
    """`exit` ends a dot-sourced script silently; the functions after it are missing, which is told."""
    with pytest.raises(ReaderError, match="ListHolders"):
        Reading(tmp_path, "return", before="exit 0").collect()


def test_a_missing_function_is_named(tmp_path: Path) -> None:
    """A folder whose script lacks the step's function fails with that name."""
    reading = Reading(tmp_path, "return", before="Remove-Item function:nothing -ErrorAction Ignore")
    job = reading.job()
    script = job.reader.scripts[0]
    script.write_text(FUNCTIONS)
    with pytest.raises(ReaderError, match="ListHolders"):
        this_powershell().collect(job, reading.said.append)


# --- a clean room ---


PLAIN["Fresh"] = Body(
    """
    $thing = New-Object PSObject -Property @{ There = 1 }
    New-Object PSObject -Property @{
        Missing = [string]($null -eq $thing.NotThere)
        Undefined = [string]($null -eq $neverDefined)
        Errors = [string]$ErrorActionPreference
        Verbose = [string]$VerbosePreference
        Host = $Host.Name
        Ours = [string]@(Get-Variable Ends, Job, Secrets, Values, BridgeToken -ErrorAction Ignore).Count
        Functions = [string]@(Get-Command Invoke-Steps, EscapeCell, ConvertCell -ErrorAction Ignore).Count
    }
    """,
    ("Missing", "Undefined", "Errors", "Verbose", "Host", "Ours", "Functions"),
)


def test_the_readers_code_sees_a_fresh_session(plain: Together) -> None:
    """No strict mode, no preference, no variable and no function of the host reaches it."""
    assert plain.rows_of("Fresh") == [
        {
            "Missing": "True",
            "Undefined": "True",
            "Errors": "Continue",
            "Verbose": "Continue",
            "Host": "Default Host",
            "Ours": "0",
            "Functions": "0",
        }
    ]


PLAIN["Kept"] = Body("New-Object PSObject -Property @{ A = $global:Kept }")


def test_steps_share_one_runspace(plain: Together) -> None:
    """What the init script keeps in a script or global variable is there when the step runs."""
    assert plain.rows_of("Kept") == [{"A": "kept"}]


ESCAPES = {
    "Started": "Start-Process -NoNewWindow -Wait printf 'ESCAPED\\n'",
    "Processed": (
        "$p = [Diagnostics.Process]::Start([Diagnostics.ProcessStartInfo]@{"
        " FileName = 'printf'; Arguments = 'ESCAPED'; UseShellExecute = $false }); $p.WaitForExit()"
    ),
    "Opened": (
        "$o = [Console]::OpenStandardOutput(); $b = [Text.Encoding]::ASCII.GetBytes('ESCAPED');"
        " $o.Write($b, 0, $b.Length); $o.Flush()"
    ),
}
for step, escape in ESCAPES.items():
    PLAIN[step] = Body(f"{escape}; New-Object PSObject -Property @{{ A = 1 }}; {escape}")


@pytest.mark.parametrize("step", ESCAPES)
def test_text_that_escapes_to_standard_output_is_log_text(plain: Together, step: str) -> None:
    """The three ways around the host's standard output disturb no event, even without a line end."""
    assert plain.rows_of(step) == [{"A": "1"}]
    assert plain.log_of(step).count("ESCAPED") == 2


PLAIN["Console"] = Body(
    "Write-Host 'for people'; [Console]::WriteLine('gone'); New-Object PSObject -Property @{ A = 1 }"
)


def test_console_and_host_writing_reach_no_event(plain: Together) -> None:
    """Write-Host is a record, [Console]::WriteLine goes nowhere."""
    assert plain.rows_of("Console") == [{"A": "1"}]
    assert "host: for people" in plain.log_of("Console")
    assert "gone" not in plain.log


PLAIN["Input"] = Body(
    "$read = & sh -c 'cat | wc -c'; New-Object PSObject -Property @{ A = ([string]$read).Trim() }"
)


def test_a_program_that_reads_standard_input_finds_it_closed(plain: Together) -> None:
    """It neither hangs nor gets the job, with its secrets."""
    assert plain.rows_of("Input") == [{"A": "0"}]


def test_a_forged_event_is_log_text(thrown: Refused) -> None:
    """Who does not know the mark cannot end a step."""
    assert "stopped half way" in thrown.error
    assert '"event":"done"' in thrown.reading.log


# --- streams ---


PLAIN["Streams"] = Body(
    """
    $DebugPreference = 'Continue'
    Write-Verbose 'a detail'; Write-Warning 'a warning'; Write-Debug 'for makers'
    Write-Information 'for your information'; Write-Progress -Activity 'reading' -Status 'x'
    """
)


def test_all_six_streams_are_told(plain: Together) -> None:
    """Verbose, warning, debug, information and progress reach the log as they are called."""
    for line in (
        "verbose: a detail",
        "warning: a warning",
        "debug: for makers",
        "host: for your",
        "progress: r",
    ):
        assert line in plain.log_of("Streams")
    assert plain.collected["Streams"].gaps == (Gap("warning", "a warning", 1),)


PLAIN["Skipping"] = Body(
    "1..3 | ForEach-Object { Write-Verbose 'user not found, skipping' }; Write-Verbose 'fine'"
)


def test_skipped_items_are_gaps_with_their_count(plain: Together) -> None:
    """A verbose line that matches the connection's patterns says that something was left out."""
    assert plain.collected["Skipping"].gaps == (Gap("skipped", "user not found, skipping", 3),)


def test_gaps_of_the_init_script_are_not_lost(plain: Together) -> None:
    """What is said before the first step belongs to it."""
    assert plain.collected["Early"].gaps == (Gap("warning", "an old module"), Gap("error", "known"))


PLAIN["Warning"] = Body(
    """
    foreach ($n in 1..250) { Write-Warning ("$n" + [string][char]0x4E2D * 5000) }
    New-Object PSObject -Property @{ A = 1 }
    """
)


def test_many_long_gaps_are_one_event_still(plain: Together) -> None:
    """Each is cut, so that the event that carries all of them stays below a MiB."""
    gaps = plain.collected["Warning"].gaps
    assert len(gaps) == 201
    assert gaps[-1] == Gap("warning", "(more, each different)", 50)
    assert max(len(gap.text) for gap in gaps) < 700


PLAIN["Surrogate"] = Body(
    """
    Write-Warning ([string][char]0xD83D + ' alone')
    Write-Warning ('x' * 599 + [char]::ConvertFromUtf32(0x1F600))
    """
)


def test_a_gap_is_a_text_that_a_record_can_hold(plain: Together) -> None:
    """Half of a surrogate pair, given or left by a cut, becomes U+FFFD."""
    first, second = plain.collected["Surrogate"].gaps
    assert first.text == "\ufffd alone"
    assert second.text == "x" * 599 + "\ufffd..."


PLAIN["Named"] = Body("Write-Warning 'gap concealed: names are hashed'")


def test_named_gaps_are_for_our_own_readers(plain: Together, ours: Together) -> None:
    """`Write-Warning 'gap NAME: TEXT'` names a gap only in our folders; elsewhere it is any warning."""
    assert ours.collected["Named"].gaps == (Gap("concealed", "names are hashed", 1),)
    assert plain.collected["Named"].gaps == (Gap("warning", "gap concealed: names are hashed", 1),)


def test_a_pattern_that_net_does_not_take_is_named(tmp_path: Path) -> None:
    """Python's and .NET's regular expressions differ in places."""
    with pytest.raises(SettingsError, match=r"skip_patterns.*\(\?P<name>x\)"):
        Reading(tmp_path, "return", skip_patterns=("(?P<name>x)",)).collect()


def test_secrets_are_redacted_everywhere(thrown: Refused) -> None:
    """Streams, errors and what goes around the host: the log never shows the secret."""
    assert "***" in thrown.error
    assert "key-canary" not in thrown.reading.log + thrown.error
    assert thrown.reading.log.count("***") >= 4


# --- parameters and tokens ---

NASTY = [
    'it\'s "quoted"',
    "$(throw 'no')",
    "`backtick`n",
    "two\nlines\r\n",
    "--leading",
    "-Verbose",
    "ä😀 €",
    " x ",
]


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Together:
    """Return one step for each nasty text, run; each gets its text, and as a secret that text and an x."""
    names = [f"Nasty{number}" for number in range(len(NASTY))]
    values: dict[str, str | Secret] = dict(VALUES)
    for name, text in zip(names, NASTY, strict=True):
        values |= {f"{name}Url": text, f"{name}Key": Secret(text + "x")}
    body = "New-Object PSObject -Property @{ A = $ServiceUrl; B = $ApiKey }"
    together = Together(
        tmp_path_factory.mktemp("nasty"),
        values=values,
        parameters=PARAMETERS
        + "".join(
            f'<Parameter Name="{name}Url" DisplayText="URL" Type="text" IsMandatory="true"/>'
            f'<Parameter Name="{name}Key" DisplayText="key" Type="password" IsMandatory="true"/>'
            for name in names
        ),
        steps={
            name: Body(
                body,
                ("A", "B"),
                f'<InputVariable Name="ServiceUrl" Variable="{name}Url"/>'
                f'<InputVariable Name="ApiKey" Variable="{name}Key"/>',
            )
            for name in names
        },
    )
    together.collect()
    return together


@pytest.mark.parametrize("text", NASTY)
def test_parameters_reach_the_reader_unharmed(nasty: Together, text: str) -> None:
    """Quotes, subexpressions, backticks, line ends and dashes are data."""
    assert nasty.rows_of(f"Nasty{NASTY.index(text)}") == [{"A": text, "B": text + "x"}]


def test_a_token_is_asked_for_and_renewed(ours: Together) -> None:
    """Our readers get a token by BridgeToken.Get, and another one when they say that it was rejected."""
    assert ours.rows_of("Token") == [{"A": "7", "B": "True"}]
    assert asked == [None, Secret("token-1")]
    assert "got *** and ***" in ours.log


PLAIN["Tokenless"] = Body("New-Object PSObject -Property @{ A = [string](Test-Path variable:BridgeToken) }")


def test_other_folders_get_no_token(plain: Together) -> None:
    """BridgeToken exists for our own folders only."""
    assert plain.rows_of("Tokenless") == [{"A": "False"}]


def test_a_refused_token_fails_with_its_own_error(tmp_path: Path) -> None:
    """What the sign-in says is the run's error, not the reader's echo of it."""

    def refuse(rejected: Secret | None) -> Secret:
        raise SettingsError(f"no token for {rejected is None}")

    reading = Reading(tmp_path, "$BridgeToken.Get($null)", owner=Owner.BRIDGE, token=refuse)
    with pytest.raises(SettingsError, match="no token for True"):
        reading.collect()


# --- the reader's own tests ---


@pytest.mark.parametrize(
    ("ping", "ok", "found"),
    [
        ("'OK'", True, ""),
        ("'ok'", False, ""),
        ("'OK'; 'OK'", False, ""),
        ("'OK'; Write-Error 'but'", False, "but"),
        ("Write-Error 'key refused' -ErrorAction Continue; exit", False, "ended itself"),
        ("throw 'no route'", False, "no route"),
        ("return", False, ""),
        ("[Environment]::Exit(0)", False, "code 0"),
    ],
)
def test_success_of_test_connection_is_the_returned_ok(
    tmp_path: Path, ping: str, ok: bool, found: str
) -> None:
    """Nothing but the returned text OK is success: not exit code 0, not silence, not a second word."""
    functions = FUNCTIONS.replace("'OK'", ping)
    reading = Reading(tmp_path, "return", functions=functions, tests=TEST_CONNECTION)
    tested = this_powershell().test(reading.job())
    assert tested.ok == ok
    assert found in tested.error


def test_the_version_is_told_also_where_the_connection_is_not(tmp_path: Path) -> None:
    """TestConnection and VersionCheck have a PowerShell each: what ends the one does not end the other."""
    functions = FUNCTIONS.replace("'OK'", "[Environment]::Exit(0)")
    tested = this_powershell().test(Reading(tmp_path, "return", functions=functions).job())
    assert (tested.ok, tested.version) == (False, "2.4")


@pytest.mark.parametrize(
    ("answer", "found"),
    [("@{ Version = 'two' }", "no dotted version"), ("@{ Other = '2.4' }", "no dotted version")],
)
def test_a_version_check_must_return_a_dotted_version(tmp_path: Path, answer: str, found: str) -> None:
    """Anything else is told as what is wrong with it, and fails no connection."""
    functions = FUNCTIONS.replace("@{ Version = '2.4' }", answer)
    reading = Reading(tmp_path, "return", functions=functions, tests=VERSION_CHECK)
    tested = this_powershell().test(reading.job())
    assert tested.ok
    assert tested.version is None
    assert found in tested.version_error


ENVIRONMENT = Body(
    """
    New-Object PSObject -Property @{ A = [string]($env:PSModulePath -like '*stray-path*')
        B = [string]($null -eq $env:STRAY); C = $env:https_proxy }
    """,
    ("A", "B", "C"),
)


def test_the_environment_is_a_written_list(elsewhere: Together) -> None:
    """A stray variable and an inherited PSModulePath do not reach the reader."""
    rows = elsewhere.rows_of("Environment")
    assert rows == [{"A": "False", "B": "True", "C": "http://p:1"}]


PLAIN["Processes"] = Body("& ps -eo args | ForEach-Object { New-Object PSObject -Property @{ A = $_ } }")


def test_secrets_stand_in_no_command_line(plain: Together) -> None:
    """What other accounts can see of our processes shows neither the secret nor a parameter."""
    subprocess.run(["ps", "-V"], check=True, capture_output=True)
    seen = "\n".join(row["A"] or "" for row in plain.rows_of("Processes"))
    assert "Invoke-Reader.ps1" in seen
    assert "key-canary" not in seen
    assert "badges.example" not in seen


def test_progress_is_told_while_it_happens(tmp_path: Path) -> None:
    """Rows so far are told every few seconds."""
    body = "foreach ($n in 1..6) { New-Object PSObject -Property @{ A = $n }; Start-Sleep -Milliseconds 900 }"
    reading = Reading(tmp_path, body)
    reading.collect()
    counts = [talk.rows for talk in reading.said if talk.kind == "rows"]
    assert len(counts) >= 2
    assert counts == sorted(counts)
    assert reading.said[-1] == Talk("step", "Holder.xml/LoadHolder", "Holder.xml/LoadHolder", 6, done=True)


# --- a step that begins again ---

AGAIN = """
if (-not (Test-Path variable:global:times)) { $global:times = 0 }
$global:times++
New-Object PSObject -Property @{ A = $global:times }
Write-Warning "gap early: $global:times"
if ($global:times -lt 3) { throw 'restart: forgotten' }
"""
OURS["Again"] = Body(AGAIN)  # the first, since it gets the init script's gaps
OURS["Named"] = PLAIN["Named"]
OURS["Token"] = Body(
    """
    $first = $BridgeToken.Get($null)
    $second = $BridgeToken.Get($first)
    Write-Verbose "got $first and $second"
    New-Object PSObject -Property @{ A = $second.Length; B = [string]($second -eq 'token-2') }
    """,
    ("A", "B"),
)


def test_a_reader_of_ours_may_ask_for_a_step_from_its_beginning(ours: Together) -> None:
    """Rows and gaps of an attempt that asks for another do not count; the init script's gaps still do."""
    assert ours.rows_of("Again") == [{"A": "3"}]
    assert ours.collected["Again"].gaps == (Gap("before", "said once", 1), Gap("early", "3", 1))
    for number in (1, 2):
        assert f"host: restart {number} of 5 after 1 rows: forgotten" in ours.log


@pytest.mark.parametrize(
    ("owner", "before"), [(Owner.PATH, ""), (Owner.BRIDGE, "Write-Error 'something else'\n")]
)
def test_a_step_does_not_begin_again_otherwise(tmp_path: Path, owner: Owner, before: str) -> None:
    """A foreign reader's error is an error whatever its text; so is one that is not the only one."""
    reading = Reading(tmp_path, before + AGAIN, owner=owner)
    with pytest.raises(ReaderError, match="restart: forgotten") as caught:
        reading.collect()
    assert not caught.value.retryable
    assert "restart 1 of 5" not in reading.log
