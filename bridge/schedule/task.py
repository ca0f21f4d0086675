"""One task of the Windows Task Scheduler, as XML and back.

The elements are those of learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources

from lxml import etree

from bridge.errors import BeaconError, SettingsError

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
FOLDER = "\\beacon-bridge\\"
_TAGS = {"t": NAMESPACE}
_SERVICES = {
    "system": "S-1-5-18",
    "localsystem": "S-1-5-18",
    "localservice": "S-1-5-19",
    "local service": "S-1-5-19",
    "networkservice": "S-1-5-20",
    "network service": "S-1-5-20",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a task runs as: SYSTEM, a service account, a gMSA (its name ends in ``$``), or any other."""

    name: str

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable() or self.name.startswith("/"):
            raise SettingsError(
                f"{self.name!r} is no account.", hint=r"Name one such as SYSTEM or CONTOSO\beacon$ with --as."
            )

    @property
    def service(self) -> str | None:
        """The security identifier of SYSTEM or a service account, None for any other account."""
        domain, _, bare = self.name.rpartition("\\")
        return _SERVICES.get(bare.casefold()) if domain.casefold() in {"", "nt authority"} else None

    @property
    def is_system(self) -> bool:
        """Whether it is SYSTEM, which is let in everywhere."""
        return self.service == _SERVICES["system"]

    @property
    def is_managed(self) -> bool:
        """Whether Active Directory keeps the account's password: a group managed service account."""
        return self.name.endswith("$")

    @property
    def asks(self) -> bool:
        """Whether schtasks must ask for the account's password."""
        return self.service is None and not self.is_managed


@dataclass(frozen=True, slots=True)
class Task:
    """A task: when it starts, as whom, what it starts where, and how long that may take.

    ``start`` is the first start in local time; then every day, or every ``every`` where that is set. Without
    ``start`` the task is started by hand. ``delay`` is the random delay of a start; no ``limit`` means none.
    """

    name: str
    description: str
    account: Account
    command: str
    arguments: str
    folder: str
    start: datetime | None = None
    every: timedelta | None = None
    delay: timedelta = timedelta(0)
    limit: timedelta | None = None

    @property
    def path(self) -> str:
        """The task's name with its folder, as schtasks takes it."""
        return FOLDER + self.name


# --- writing ---


def to_xml(task: Task) -> bytes:
    """Return the task in UTF-16 with a byte order mark, as its declaration says.

    Raises BeaconError where it is not valid by our task.xsd: nothing of that kind is ever registered.
    """
    root = etree.Element(_tag("Task"), nsmap={None: NAMESPACE}, version="1.2")  # type: ignore[dict-item]  # the stubs know no default namespace
    info = _add(root, "RegistrationInfo")
    _add(info, "Description", task.description)
    _add(info, "URI", task.path)
    _add_trigger(_add(root, "Triggers"), task)
    _add_principal(_add(root, "Principals"), task.account)
    _add_settings(_add(root, "Settings"), task)
    actions = _add(root, "Actions")
    actions.set("Context", "Account")
    run = _add(actions, "Exec")
    _add(run, "Command", task.command)
    _add(run, "Arguments", task.arguments)
    _add(run, "WorkingDirectory", task.folder)
    refuse_invalid(root, task.path)
    etree.indent(root)
    text = etree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-16"?>\n{text}\n'.replace("\n", "\r\n").encode("utf-16")


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, _tag(name))
    if text is not None:
        try:
            element.text = text
        except ValueError:
            raise BeaconError(f"{text!r} cannot stand in a task: XML does not hold it.") from None
    return element


def _add_trigger(parent: etree._Element, task: Task) -> None:
    if task.start is None:
        return
    trigger = _add(parent, "TimeTrigger" if task.every else "CalendarTrigger")
    _add(trigger, "StartBoundary", task.start.strftime("%Y-%m-%dT%H:%M:%S"))
    if task.every:
        _add(_add(trigger, "Repetition"), "Interval", duration(task.every))
    _add(trigger, "RandomDelay", duration(task.delay))
    if not task.every:
        _add(_add(trigger, "ScheduleByDay"), "DaysInterval", "1")


def _add_principal(parent: etree._Element, account: Account) -> None:
    principal = _add(parent, "Principal")
    principal.set("id", "Account")
    _add(principal, "UserId", account.service or account.name)
    if account.service is None:
        _add(principal, "LogonType", "Password")
    _add(principal, "RunLevel", "LeastPrivilege")


def _add_settings(settings: etree._Element, task: Task) -> None:
    _add(settings, "MultipleInstancesPolicy", "IgnoreNew")
    _add(settings, "DisallowStartIfOnBatteries", "false")
    _add(settings, "StopIfGoingOnBatteries", "false")
    _add(settings, "StartWhenAvailable", "true")
    _add(settings, "Enabled", "true")
    _add(settings, "ExecutionTimeLimit", duration(task.limit or timedelta(0)))


def duration(length: timedelta) -> str:
    """Return a length in whole minutes as XML has it, rounded up: ``PT90M``; none is ``PT0S``."""
    minutes = -(-length // timedelta(minutes=1))
    return f"PT{minutes}M" if minutes else "PT0S"


@cache
def _schema() -> etree.XMLSchema:
    place = resources.files("bridge.importprocedures") / "schemas" / "task.xsd"
    return etree.XMLSchema(etree.fromstring(place.read_bytes()))


def refuse_invalid(root: etree._Element, name: str) -> None:
    """Raise BeaconError with the first thing in a task that our task.xsd does not allow."""
    try:
        _schema().assertValid(root)
    except etree.DocumentInvalid as error:
        found = str(error).replace(f"{{{NAMESPACE}}}", "")
        raise BeaconError(
            f"The task {name} would not be valid: {found}",
            hint="Name account, times and folders as the manual's section on schedules does.",
        ) from None


# --- reading ---


@dataclass(frozen=True, slots=True)
class Planned:
    """When a registered task starts, as its XML says: local times; what it starts, and as whom.

    ``user`` is a name or, as Windows may keep it, a security identifier.
    """

    enabled: bool
    start: datetime | None
    every: timedelta | None
    description: str = ""
    user: str = ""
    command: str = ""


def from_xml(content: str | bytes) -> Planned:
    """Return when a registered task starts; BeaconError if that is no task, or one that was planned by hand
    in a way that none of ours is: by weeks or months, by events, several times over."""
    text = content if isinstance(content, str) else content.decode("utf-16")
    body = re.sub(r"^\s*<\?xml.*?\?>\s*", "", text.lstrip("\ufeff"), flags=re.DOTALL)
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(body.encode(), parser)
        _refuse_foreign(root)
        start = _text(root, ".//t:StartBoundary")
        every = _text(root, ".//t:Repetition/t:Interval")
        return Planned(
            enabled=_text(root, "./t:Settings/t:Enabled") != "false",
            start=datetime.fromisoformat(start).replace(tzinfo=None) if start else None,
            every=_length(every) if every else None,
            description=_text(root, ".//t:Description") or "",
            user=_text(root, ".//t:UserId") or "",
            command=" ".join(_text(root, f".//t:{name}") or "" for name in ("Command", "Arguments")).strip(),
        )
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BeaconError(f"The Task Scheduler's answer is no task: {error}.") from None


def _refuse_foreign(root: etree._Element) -> None:
    """Raise BeaconError unless the task starts by hand, once, every day, or from then on every so often."""
    triggers = [etree.QName(one).localname for one in root.findall("./t:Triggers/*", _TAGS)]
    days = _text(root, ".//t:ScheduleByDay/t:DaysInterval")
    daily = triggers == ["CalendarTrigger"] and days == "1"
    if not (triggers in ([], ["TimeTrigger"]) or daily):
        raise BeaconError(
            f"A task was planned by hand ({', '.join(triggers)}): its next start is not reckoned here.",
            hint="Look at it in the Task Scheduler, or plan it again: beacon-bridge schedule install.",
        )


def _text(root: etree._Element, path: str) -> str | None:
    found = root.findtext(path, namespaces=_TAGS)
    return found.strip() if found and found.strip() else None


def _length(text: str) -> timedelta:
    """Return the length of an XML duration of days, hours, minutes and seconds; ValueError otherwise."""
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    numbers = [int(part or 0) for part in found.groups()] if found else []
    if not any(numbers):
        raise ValueError(f"{text!r} is no duration")
    days, hours, minutes, seconds = numbers
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def next_start(planned: Planned, now: datetime) -> datetime | None:
    """Return the next start after ``now``, both in local time; None for a task that has none or is off."""
    if planned.start is None or not planned.enabled:
        return None
    if planned.start > now:
        return planned.start
    every = planned.every or timedelta(days=1)
    return planned.start + every * ((now - planned.start) // every + 1)
