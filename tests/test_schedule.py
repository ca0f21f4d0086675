"""Scheduled tasks: their XML, whom they run as, and what is asked of schtasks."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from lxml import etree

from bridge import cli
from bridge.cli import schedule as actions
from bridge.desk import Desk
from bridge.errors import BeaconError, SettingsError
from bridge.installation import install
from bridge.model import Connection, Minutes
from bridge.schedule import (
    Account,
    Program,
    Scheduler,
    Task,
    Timing,
    check_task,
    deliver_task,
    from_xml,
    next_start,
    run_task,
    to_xml,
)
from bridge.system import Done, Schtasks
from tests.folders import make_reader_folder

NOW = datetime(2026, 11, 25, 14, 30)  # local time, as a task's boundaries are
TAGS = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
CONTOSO = Connection("Contoso EU", "Microsoft 365", "contoso.example")
SYSTEM = Account("SYSTEM")


def program(home: Path = Path("/srv/R&D <x>")) -> Program:
    """Return how the program of these tests is started."""
    return Program(
        Path("/opt/python/python"), ("-P", "-m", "bridge"), ("--config", str(home / "bridge.toml")), home
    )


def planned(
    connection: Connection = CONTOSO, account: Account = SYSTEM, timing: Timing | None = None
) -> Task:
    """Return the task that runs a connection."""
    return run_task(connection, program(), account, timing or Timing(), NOW)


def text(task: Task, path: str) -> str | None:
    """Return the text at a path of the task's XML, ``/`` between the elements."""
    root = etree.fromstring(to_xml(task))
    return root.findtext("/".join(f"t:{part}" for part in path.split("/")), namespaces=TAGS)


# --- the XML ---


def test_the_xml_is_utf_16_as_it_declares() -> None:
    """The bytes begin with the mark of UTF-16, and the declaration says the same."""
    content = to_xml(planned())
    assert content[:2] in {b"\xff\xfe", b"\xfe\xff"}
    assert content.decode("utf-16").startswith('<?xml version="1.0" encoding="UTF-16"?>\r\n<Task ')


def test_a_task_starts_one_connection_in_the_state_folder() -> None:
    """Absolute paths, the connection's name quoted, the settings named, the state folder to work in."""
    task = planned()
    assert text(task, "Actions/Exec/Command") == "/opt/python/python"
    assert text(task, "Actions/Exec/WorkingDirectory") == "/srv/R&D <x>"
    words = shlex.split(text(task, "Actions/Exec/Arguments") or "")
    assert words == ["-P", "-m", "bridge", "run", "Contoso EU", "--config", "/srv/R&D <x>/bridge.toml"]
    assert text(task, "RegistrationInfo/URI") == r"\beacon-bridge\run Contoso EU"


def test_a_start_that_was_missed_or_overlaps() -> None:
    """A second instance is not started, a missed start is made up for, batteries do not count."""
    settings = etree.fromstring(to_xml(planned())).find("t:Settings", TAGS)
    assert settings is not None
    said = {etree.QName(one).localname: one.text for one in settings}
    assert said == {
        "MultipleInstancesPolicy": "IgnoreNew",
        "DisallowStartIfOnBatteries": "false",
        "StopIfGoingOnBatteries": "false",
        "StartWhenAvailable": "true",
        "Enabled": "true",
        "ExecutionTimeLimit": "PT660M",
    }


@pytest.mark.parametrize(
    ("minutes", "limit"), [(600, "PT660M"), (0, "PT0S"), (0.5, "PT61M"), (100_000, "PT100060M")]
)
def test_the_time_limit_is_above_the_runs(minutes: float, limit: str) -> None:
    """Whatever a run may take fits into its task's limit; a run without one has a task without one."""
    connection = replace(CONTOSO, minutes=Minutes(run=minutes))
    assert text(planned(connection), "Settings/ExecutionTimeLimit") == limit


def test_every_day_at_a_time() -> None:
    """A daily start at a local time, with a random delay."""
    task = planned(timing=Timing(at=time(23, 5), delay=timedelta(minutes=7)))
    assert text(task, "Triggers/CalendarTrigger/StartBoundary") == "2026-11-25T23:05:00"
    assert text(task, "Triggers/CalendarTrigger/RandomDelay") == "PT7M"
    assert text(task, "Triggers/CalendarTrigger/ScheduleByDay/DaysInterval") == "1"


def test_every_so_often() -> None:
    """A repetition without an end; its random delay stays well within it."""
    task = planned(timing=Timing(every=timedelta(hours=4)))
    assert text(task, "Triggers/TimeTrigger/Repetition/Interval") == "PT240M"
    assert text(task, "Triggers/TimeTrigger/RandomDelay") == "PT10M"
    often = planned(timing=Timing(every=timedelta(minutes=10)))
    assert text(often, "Triggers/TimeTrigger/RandomDelay") == "PT5M"


def test_what_waits_is_delivered_every_ten_minutes() -> None:
    """One task for all connections."""
    task = deliver_task(program(), SYSTEM, NOW)
    assert text(task, "Triggers/TimeTrigger/Repetition/Interval") == "PT10M"
    assert "deliver --waiting" in (text(task, "Actions/Exec/Arguments") or "")


ACCOUNTS = {
    "SYSTEM": ("S-1-5-18", None, []),
    r"NT AUTHORITY\LocalService": ("S-1-5-19", None, []),
    r"nt authority\network service": ("S-1-5-20", None, []),
    r"CONTOSO\beacon$": (r"CONTOSO\beacon$", "Password", ["/RU", r"CONTOSO\beacon$", "/RP", ""]),
    r"CONTOSO\zoë": ("CONTOSO\\zoë", "Password", ["/RU", "CONTOSO\\zoë", "/RP", "*"]),
    r"CONTOSO\system": (r"CONTOSO\system", "Password", ["/RU", r"CONTOSO\system", "/RP", "*"]),
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_whom_a_task_runs_as(name: str, tmp_path: Path) -> None:
    """Services by their identifier, a gMSA with no password, others asked by schtasks; never S4U."""
    user, logon, credentials = ACCOUNTS[name]
    task = planned(account=Account(name))
    assert text(task, "Principals/Principal/UserId") == user
    assert text(task, "Principals/Principal/LogonType") == logon
    assert text(task, "Principals/Principal/RunLevel") == "LeastPrivilege"
    runner = Registered()
    Scheduler(runner, tmp_path).install(task)
    (words, asks) = runner.calls[0]
    assert words[words.index("/F") + 1 :] == credentials
    assert asks == ("*" in credentials)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "/Delete"])
def test_an_account_that_is_none(name: str) -> None:
    """Blank names, line breaks, and what schtasks would take for a switch are refused."""
    with pytest.raises(SettingsError):
        Account(name)


INVALID = {
    "relative command": {"command": "python.exe"},
    "relative folder": {"folder": r"state\x"},
    "no arguments": {"arguments": ""},
    "a name that leaves the folder": {"name": r"..\Microsoft\x"},
    "too seldom": {"start": NOW, "every": timedelta(days=32)},
    "a control character": {"arguments": "run \x00"},
}


@pytest.mark.parametrize("change", INVALID.values(), ids=INVALID)
def test_what_is_not_valid_is_never_registered(change: dict[str, object], tmp_path: Path) -> None:
    """The schema decides before schtasks is asked, and no file is left."""
    runner = Registered()
    with pytest.raises(BeaconError):
        Scheduler(runner, tmp_path).install(replace(planned(), **change))  # type: ignore[arg-type]  # by name
    assert runner.calls == []
    assert list(tmp_path.rglob("*.xml")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">Password<", ">S4U<"),
        ("IgnoreNew", "Parallel"),
        ('version="1.2"', 'version="1.4"'),
        ("LeastPrivilege", "HighestAvailable"),
        ("<StartWhenAvailable>true</StartWhenAvailable>", ""),
    ],
)
def test_the_schema_notices(old: str, new: str) -> None:
    """Our schema refuses what we must never write: it is no formality."""
    from bridge.schedule.task import refuse_invalid

    good = re.sub(r"^<\?xml.*?\?>", "", to_xml(planned(account=Account("a"))).decode("utf-16"))
    refuse_invalid(etree.fromstring(good), "good")
    assert old in good
    with pytest.raises(BeaconError, match="would not be valid"):
        refuse_invalid(etree.fromstring(good.replace(old, new)), "spoilt")


# --- when it starts next ---


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        (Timing(at=time(2, 30)), datetime(2026, 11, 26, 2, 30)),  # local, as above
        (Timing(at=time(23, 0)), datetime(2026, 11, 25, 23, 0)),  # local, as above
        (Timing(at=time(1, 0), every=timedelta(hours=4)), datetime(2026, 11, 25, 17, 0)),  # local
    ],
)
def test_the_next_start(timing: Timing, expected: datetime) -> None:
    """Reckoned from the registered task's own XML, in no country's date format."""
    assert next_start(from_xml(to_xml(planned(timing=timing))), NOW) == expected


def test_a_task_that_is_off_or_by_hand_has_no_next_start() -> None:
    """Neither a disabled task nor one without a trigger starts by itself."""
    xml = to_xml(planned()).decode("utf-16").replace("<Enabled>true", "<Enabled>false")
    assert next_start(from_xml(xml), NOW) is None
    by_hand = check_task(CONTOSO, program(), SYSTEM, Path("/srv/report.json"))
    assert next_start(from_xml(to_xml(by_hand)), NOW) is None


BY_HAND = {
    "weekly": ("ScheduleByDay>", "ScheduleByWeek>"),
    "every second day": ("<DaysInterval>1", "<DaysInterval>2"),
    "several": ("</CalendarTrigger>", "</CalendarTrigger><BootTrigger/>"),
    "a month": ("<ScheduleByDay>", "<Repetition><Interval>P1M</Interval></Repetition><ScheduleByDay>"),
}


@pytest.mark.parametrize(("old", "new"), BY_HAND.values(), ids=BY_HAND)
def test_a_task_that_was_planned_by_hand_has_no_reckoned_start(
    old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a failure by name, not a wrong time; `schedule show` tells it and goes on with the others."""
    xml = to_xml(planned()).decode("utf-16")
    assert old in xml
    runner = Registered(tasks={planned().path: xml.replace(old, new).encode("utf-16")})
    with pytest.raises(BeaconError):
        Scheduler(runner, tmp_path).next_start(planned().path, NOW)
    deliver = deliver_task(program(), SYSTEM, NOW)
    desk = Desk(None, None, json=False, verbose=False)
    assert actions.show(desk, Scheduler(runner, tmp_path), [planned(), deliver]) == 0
    shown = capsys.readouterr()
    assert re.search(r"run Contoso EU +registered +- *\n.*deliver waiting +not registered", shown.out)
    assert "run Contoso EU: " in shown.err


@pytest.mark.parametrize("answer", ["", "ERROR: no", "<Task", "<a><StartBoundary/></a"])
def test_an_answer_that_is_no_task(answer: str) -> None:
    """What schtasks says instead of XML is a failure by name."""
    with pytest.raises(BeaconError, match="no task"):
        from_xml(answer)


# --- schtasks ---


@dataclass
class Registered:
    """A schtasks that keeps tasks by name and starts them for real; ``code`` is how it ends otherwise."""

    code: int = 0
    tasks: dict[str, bytes] = field(default_factory=dict)
    calls: list[tuple[list[str], bool]] = field(default_factory=list)

    def __call__(self, arguments: Sequence[str], *, asks: bool) -> Done:
        """Do what the words say to the tasks that are kept."""
        words = list(arguments)
        self.calls.append((words, asks))
        name = words[words.index("/TN") + 1]
        if self.code:
            return Done(self.code, "ERROR: Access is denied.\r\n")
        if words[0] == "/Create":
            self.tasks[name] = Path(words[words.index("/XML") + 1]).read_bytes()
        elif name not in self.tasks:
            return Done(1, "ERROR: The system cannot find the file specified.\r\n")
        elif words[0] == "/Delete":
            del self.tasks[name]
        elif words[0] == "/Query":
            return Done(0, "\r\n" + self.tasks[name].decode("utf-16").lstrip("\ufeff"))
        else:
            self._start(name)
        return Done(0, "SUCCESS\r\n")

    def _start(self, name: str) -> None:
        root = etree.fromstring(self.tasks[name])
        run = {etree.QName(one).localname: one.text or "" for one in root.findall(".//t:Exec/*", TAGS)}
        subprocess.Popen([run["Command"], *shlex.split(run["Arguments"])], cwd=run["WorkingDirectory"]).wait()


def test_a_task_is_registered_asked_for_and_removed(tmp_path: Path) -> None:
    """Its XML goes through a private file that is gone afterwards."""
    runner = Registered()
    scheduler = Scheduler(runner, tmp_path / "private")
    task = planned()
    scheduler.install(task)
    assert runner.tasks[task.path] == to_xml(task)
    assert list((tmp_path / "private").iterdir()) == []
    assert scheduler.next_start(task.path, NOW) == datetime(2026, 11, 26, 2, 30)  # local
    scheduler.remove(task.path)
    assert scheduler.next_start(task.path, NOW) is None


def test_what_schtasks_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    """The failure names the task, the code and the reason, and says what to do."""
    with pytest.raises(BeaconError, match="schtasks ended with 5: ERROR: Access is denied") as caught:
        Scheduler(Registered(code=5), tmp_path).install(planned())
    assert "administrator" in caught.value.hint


def test_schtasks_is_started_and_its_words_are_kept(tmp_path: Path) -> None:
    """Exit code and both streams of a real process come back."""
    script = tmp_path / "schtasks"
    script.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\nsys.exit('no')\n")
    script.chmod(0o700)
    if sys.platform == "win32":
        pytest.skip("a script is no program on Windows")
    done = Schtasks(script)(["/Query", "/TN", r"\a b"], asks=False)
    assert done.code == 1
    assert r"'\\a b'" in done.said
    assert "no" in done.said


def test_what_schtasks_says_while_it_asks_is_no_result(tmp_path: Path) -> None:
    """It goes to standard error: standard output holds the one JSON value."""
    if sys.platform == "win32":
        pytest.skip("a script is no program on Windows")
    script = tmp_path / "schtasks"
    script.write_text(f"#!{sys.executable}\nprint('Please enter the password')\n")
    script.chmod(0o700)
    program = f"""from pathlib import Path
from bridge.system import Schtasks
print(Schtasks(Path({str(script)!r}))([], asks=True).code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "Please enter the password\n")


# --- installing ---


def site(home: Path, key: str = "env:KEY") -> tuple[Path, Connection]:
    """Return settings with one connection to a folder of ours, below a folder with a blank and more."""
    reader = make_reader_folder(home / "R & D")
    config = home / "R & D" / "bridge.toml"
    config.write_text(
        f"""[bridge]
state = 'state'
[connections."Contoso EU"]
reader = '{reader}'
tenant = "contoso.example"
engine = "native"
parameters = {{ ServiceUrl = "https://badges.example", ApiKey = {{ secret = "{key}" }} }}
""",
        "utf-8",
    )
    (home / "R & D" / "state").mkdir(mode=0o700)
    return config, replace(CONTOSO, reader=str(reader))


def test_installing_checks_the_connection_as_a_task_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one-off task is really started; its findings are read back, and nothing of it is left."""
    monkeypatch.setenv("KEY", "s3cret-key")
    config, connection = site(tmp_path)
    state = config.parent / "state"
    how = Program(Path(sys.executable), ("-P", "-m", "bridge"), ("--config", str(config)), state)
    runner, told = Registered(), list[str]()
    tasks = [run_task(connection, how, SYSTEM, Timing(), NOW), deliver_task(how, SYSTEM, NOW)]
    done = install(
        Scheduler(runner, state / "schedule", patience=30), tasks, [connection], how, SYSTEM, told.append
    )
    assert done.tasks == (r"\beacon-bridge\run Contoso EU", r"\beacon-bridge\deliver waiting")
    assert set(runner.tasks) == set(done.tasks)
    (checked,) = done.checks
    assert ("parameters", "ok") in {(one.topic, one.level) for one in checked.findings}
    assert told[-1] == "checking Contoso EU as SYSTEM"
    assert list((state / "schedule").iterdir()) == []
    assert done.exit_code == 0


def test_a_check_that_fails_as_that_account_is_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tasks stay, and what the account lacks is told with its own code: here the secret."""
    monkeypatch.delenv("KEY", raising=False)
    config, connection = site(tmp_path)
    state = config.parent / "state"
    how = Program(Path(sys.executable), ("-P", "-m", "bridge"), ("--config", str(config)), state)
    runner = Registered()
    done = install(Scheduler(runner, state / "schedule", patience=30), [], [connection], how, SYSTEM, print)
    assert done.exit_code == SettingsError.exit_code
    assert any("env:KEY" in one.text for one in done.checks[0].findings)
    gone = replace(connection, name="Nobody")
    done = install(Scheduler(runner, state / "schedule", patience=30), [], [gone], how, SYSTEM, print)
    assert done.exit_code == SettingsError.exit_code
    assert runner.tasks == {}


def test_the_account_is_let_into_the_state_folder(tmp_path: Path) -> None:
    """Its runs, locks and logs too, before anything is registered; SYSTEM needs no letting in."""
    how = Program(Path(sys.executable), ("-c", "pass"), (), tmp_path / "state")
    private, admitted = tmp_path / "state" / "schedule", list[tuple[str, str]]()
    runner = Registered()

    def admit(folder: Path, account: str) -> None:
        assert folder.is_dir()
        assert runner.tasks == {}
        admitted.append((folder.relative_to(tmp_path).as_posix(), account))

    for name in ("SYSTEM", r"CONTOSO\beacon$"):
        runner.tasks.clear()
        install(Scheduler(runner, private), [planned()], [], how, Account(name), print, admit)
    folders = ("state", "state/runs", "state/locks", "state/logs", "state/schedule")
    assert admitted == [(folder, r"CONTOSO\beacon$") for folder in folders]


OTHERS = {
    "account": (program(), Account(r"CONTOSO\beacon$")),
    "settings": (program(Path("/srv/other")), SYSTEM),
}


@pytest.mark.parametrize(("how", "account"), OTHERS.values(), ids=OTHERS)
def test_the_delivery_of_another_installation_is_not_replaced(
    how: Program, account: Account, tmp_path: Path
) -> None:
    """Another account or other settings: refused by name, nothing is changed; the same may be again."""
    runner, admitted = Registered(), list[str]()
    private = Scheduler(runner, tmp_path)
    mine = deliver_task(replace(program(), state=tmp_path), Account(r"nt authority\system"), NOW)
    for _ in range(2):
        install(private, [mine], [], replace(program(), state=tmp_path), SYSTEM, print)
    again = deliver_task(replace(program(), state=tmp_path), SYSTEM, NOW)
    install(private, [again], [], replace(program(), state=tmp_path), SYSTEM, print)
    before = dict(runner.tasks)
    other = replace(how, state=tmp_path)
    tasks = [run_task(CONTOSO, other, account, Timing(), NOW), deliver_task(other, account, NOW)]
    with pytest.raises(BeaconError, match=r"deliver waiting already, as S-1-5-18: .*bridge\.toml") as caught:
        install(private, tasks, [], other, account, print, lambda _, name: admitted.append(name))
    assert account.name in caught.value.sentence
    assert (runner.tasks, admitted) == (before, [])


def test_an_account_that_brings_no_report(tmp_path: Path) -> None:
    """After the deadline there is a failure that names the account and its rights; the task is removed."""
    task = replace(check_task(CONTOSO, program(), SYSTEM, tmp_path / "r"), command="/bin/true", folder="/tmp")  # noqa: S108  # a folder that is there
    runner = Registered()
    waits: list[float] = []
    with pytest.raises(BeaconError, match="left no report within 0 seconds") as caught:
        Scheduler(runner, tmp_path, waits.append, patience=0).once(task, tmp_path / "r")
    assert "Log on as a batch job" in caught.value.hint
    assert runner.tasks == {}


@dataclass
class Idle(Registered):
    """A schtasks whose tasks never run; ``result`` is their last result."""

    result: str = "267011"

    def __call__(self, arguments: Sequence[str], *, asks: bool) -> Done:
        """Tell the last result as Windows does, in its seventh column."""
        if "/V" in arguments:
            assert list(arguments[-4:]) == ["/V", "/FO", "CSV", "/NH"]
            columns = [
                "B1",
                r"\beacon-bridge\x",
                "N/A",
                "Bereit",
                "Interaktiv",
                "30.11.1999 00:00:00",
                self.result,
            ]
            return Done(0, "\r\n" + ",".join(f'"{one}"' for one in [*columns, "me", "x"]) + "\r\n")
        return super().__call__(arguments, asks=asks)

    def _start(self, name: str) -> None:
        pass


@pytest.mark.parametrize(
    ("result", "said"),
    [("267011", "it did not start"), ("-2147023511", "it ended with -2147023511")],
)
def test_a_task_that_does_not_run_is_not_waited_for(result: str, said: str, tmp_path: Path) -> None:
    """After its grace, one that never started or has ended is a failure at once; the task is removed."""
    task = check_task(CONTOSO, program(tmp_path), SYSTEM, tmp_path / "r")
    runner = Idle(result=result)
    with pytest.raises(BeaconError, match=f"left no report within 0 seconds, and {said}"):
        Scheduler(runner, tmp_path, patience=20, grace=0).once(task, tmp_path / "r")
    assert runner.tasks == {}


@pytest.mark.parametrize("result", ["267009", "267045", "N/A", ""])
def test_a_task_that_runs_or_may_run_is_waited_for(result: str, tmp_path: Path) -> None:
    """Running, queued, or not to be told: the whole patience."""
    task = check_task(CONTOSO, program(tmp_path), SYSTEM, tmp_path / "r")
    with pytest.raises(BeaconError, match="left no report within 1 seconds: "):
        Scheduler(Idle(result=result), tmp_path, patience=0.6, grace=0).once(task, tmp_path / "r")


@pytest.mark.parametrize("report", ["{", "[1]", '[{"topic": 1}]'])
def test_a_report_that_holds_no_findings(report: str, tmp_path: Path) -> None:
    """It is a failure by name."""
    file = tmp_path / "schedule" / "check Contoso EU.json"
    file.parent.mkdir()
    script = tmp_path / "write.py"
    script.write_text(f"import pathlib, sys\npathlib.Path({str(file)!r}).write_text({report!r})\n")
    how = Program(Path(sys.executable), (str(script),), (), tmp_path)
    done = install(Scheduler(Registered(), file.parent, patience=30), [], [CONTOSO], how, SYSTEM, print)
    assert "holds no findings" in done.checks[0].findings[0].text
    assert done.exit_code == BeaconError.exit_code


# --- the command ---


def test_what_the_actions_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is registered and starts when; what was removed, the delivery only with all connections."""
    desk = Desk(None, None, json=False, verbose=False)
    scheduler = Scheduler(Registered(), tmp_path)
    tasks = [planned(), deliver_task(program(), SYSTEM, NOW)]
    actions.show(desk, scheduler, tasks)
    assert capsys.readouterr().out.count("not registered") == 2
    for task in tasks:
        scheduler.install(task)
    actions.show(desk, scheduler, tasks)
    shown = capsys.readouterr().out
    assert "not registered" not in shown
    assert re.search(r"run Contoso EU +registered +\d{4}-\d\d-\d\d 02:30:00 [+-]\d{4}", shown)
    actions.remove(desk, scheduler, tasks, with_delivery=False)
    assert capsys.readouterr().out == "removed \\beacon-bridge\\run Contoso EU\n"
    assert scheduler.xml(tasks[1].path)
    scheduler.install(tasks[0])
    actions.remove(desk, scheduler, tasks, with_delivery=True)
    assert scheduler.xml(tasks[1].path) is None
    with pytest.raises(BeaconError, match="was not removed"):
        actions.remove(desk, scheduler, tasks, with_delivery=True)


def test_one_task_that_is_not_there_does_not_keep_the_others(tmp_path: Path) -> None:
    """Removing all tasks removes all that can be, the delivery too, and names both kinds."""
    runner = Registered()
    scheduler = Scheduler(runner, tmp_path)
    absent, present = planned(replace(CONTOSO, name="Absent")), planned()
    deliver = deliver_task(program(), SYSTEM, NOW)
    for task in (present, deliver):
        scheduler.install(task)
    desk = Desk(None, None, json=False, verbose=False)
    with pytest.raises(BeaconError, match=r"run Absent was not removed: .*cannot find") as caught:
        actions.remove(desk, scheduler, [absent, present, deliver], with_delivery=True)
    assert r"\beacon-bridge\run Contoso EU was removed." in caught.value.sentence
    assert runner.tasks == {}


def test_what_an_installation_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each task, then each connection's findings; the exit code is that of the first that fails."""
    monkeypatch.delenv("KEY", raising=False)
    config, connection = site(tmp_path)
    desk = Desk(config, None, json=False, verbose=False)
    scheduler = Scheduler(Registered(), config.parent / "state" / "schedule", patience=30)
    assert actions.install(desk, scheduler, [planned()], [connection], SYSTEM) == 3
    said = capsys.readouterr()
    assert said.out.startswith("registered \\beacon-bridge\\run Contoso EU\n")
    assert "  fail  connection: The secret env:KEY is not there" in said.out
    assert "checking Contoso EU as SYSTEM" in said.err


@pytest.mark.skipif(sys.platform == "win32", reason="there is a Task Scheduler")
@pytest.mark.parametrize("action", ["install", "remove", "show"])
def test_elsewhere_it_says_what_it_would_do(
    action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No Task Scheduler: an error of the beacon that names the tasks."""
    config, _ = site(tmp_path)
    assert cli.main(["schedule", action, "--all", "--config", str(config)]) == 4
    said = capsys.readouterr().err
    assert r"\beacon-bridge\run Contoso EU, \beacon-bridge\deliver waiting" in said
    assert "--print" in said


def test_print_shows_the_tasks_anywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The XML that would be registered, for the account and the time that were asked for."""
    config, _ = site(tmp_path)
    words = ["--at", "7:05", "--as", r"CONTOSO\beacon$", "--print", "--json", "--config", str(config)]
    assert cli.main(["schedule", "install", "Contoso EU", *words]) == 0
    run, deliver = json.loads(capsys.readouterr().out)
    assert run["task"] == r"\beacon-bridge\run Contoso EU"
    assert "T07:05:00</StartBoundary>" in run["xml"]
    assert r"<UserId>CONTOSO\beacon$</UserId>" in run["xml"]
    assert f"{config.parent}/state".replace("&", "&amp;") in run["xml"].replace("\\", "/")
    assert "deliver --waiting" in deliver["xml"]


def test_a_secret_that_somebody_must_type_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A task has no standard input: the store is named before anything is registered."""
    config, _ = site(tmp_path, "stdin:KEY")
    assert cli.main(["schedule", "install", "--all", "--config", str(config)]) == 3
    assert "stdin:KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["Contoso EU", "--all"],
        ["--all", "--at", "25:00"],
        ["--all", "--every", "x"],
        ["--all", "--at", "noon"],
    ],
)
def test_a_wrong_command_line(words: list[str], tmp_path: Path) -> None:
    """One connection or all; times and lengths are checked."""
    config, _ = site(tmp_path)
    assert cli.main(["schedule", "install", *words, "--print", "--config", str(config)]) == 2
