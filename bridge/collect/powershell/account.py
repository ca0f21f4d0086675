"""The account of a host's events: what it has told so far, and which failure that amounts to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.collect.powershell.host import Event
from bridge.errors import BridgeError, ReaderError, ReaderOutputError, SettingsError, SignInError
from bridge.model import Capture, Gap, Job, Owner, Say, Talk
from bridge.readers import retired

_ROW = "bridge-row: "  # how the host begins what is wrong with a row
_SIGN_IN = "sign-in: "  # and how our own readers begin what is wrong with a token
_RESTART = "restart: "  # how they ask for a step from its beginning, of which the host has had enough
_AGAIN = (_RESTART, "gave up after ")  # what may go well later
_PATTERN = "bridge-pattern: "  # and with a pattern of the settings
_LATER = "Run again when Microsoft Graph is less busy; nothing has to be changed for that."
_MOST_ERRORS = 3


@dataclass
class Account:
    """Takes events one by one; ``failure`` is the error they amount to, if any."""

    job: Job
    say: Say
    paths: Mapping[str, Path]  # step id -> capture
    hello: Mapping[str, Any] | None = None
    step: str = ""
    captures: list[Capture] = field(default_factory=list)
    not_applicable: list[str] = field(default_factory=list)
    version: str | None = None
    tested: Mapping[str, Any] | None = None
    failure: BridgeError | None = None
    ended: bool = False
    _seen: tuple[int, int] = (0, 0)

    def take(self, event: Event) -> bool:
        """Take one event; return whether it shows that the reader is alive (a heartbeat alone does not)."""
        facts = event.facts
        if event.name == "rows":
            return self._rows(facts)
        taken = {
            "hello": self._hello,
            "step": self._step,
            "log": self._log,
            "done": self._done,
            "failed": self._failed,
            "fault": self._fault,
            "skipped": self._not_applicable,
            "version": self._version,
            "tested": self._tested,
            "end": self._end,
        }.get(event.name)
        if taken is None:
            self.failure = ReaderError(f"The host sent an event that is not known here: {event.name!r}.")
        else:
            taken(facts)
        return True

    @property
    def _ours(self) -> bool:
        return self.job.reader.owner is Owner.BRIDGE

    def _hello(self, facts: Mapping[str, Any]) -> None:
        self.hello = facts
        shown = "host: PowerShell {version} {edition}, {bits}-bit, {language}, {policy}, culture {culture}"
        self.say(Talk("log", shown.format_map(facts)))

    def _step(self, facts: Mapping[str, Any]) -> None:
        self.step, self._seen = str(facts["step"]), (0, 0)
        self.say(Talk("step", self.step, step=self.step))

    def _rows(self, facts: Mapping[str, Any]) -> bool:
        seen = (int(facts["rows"]), int(facts["said"]))
        moved, self._seen = seen != self._seen, seen
        if self.step and facts["step"] == self.step:
            self.say(Talk("rows", f"{seen[0]:,} rows", step=self.step, rows=seen[0]))
        return moved

    def _log(self, facts: Mapping[str, Any]) -> None:
        text = str(facts["text"])
        waits = self._ours and text.startswith("waiting ")
        self.say(Talk("wait" if waits else "log", f"{facts['stream']}: {text}", step=self.step))

    def _done(self, facts: Mapping[str, Any]) -> None:
        step, rows = str(facts["step"]), int(facts["rows"])
        gaps = tuple(Gap(gap["name"], gap["text"], int(gap["count"])) for gap in facts["gaps"] or ())
        self.captures.append(Capture(step, self.paths[step], rows, gaps))
        self.step = ""
        self.say(Talk("step", step, step=step, rows=rows, done=True))
        for gap in gaps:
            self.say(Talk("gap", f"{gap.name} ({gap.count}): {gap.text}", step=step))

    def _failed(self, facts: Mapping[str, Any]) -> None:
        where = f"{facts['step']} failed"
        if facts["rows"]:
            where += f" after {int(facts['rows']):,} rows"
        where += "".join(
            f" in {step.method}" for step in self.job.reader.to_collect if step.id == facts["step"]
        )
        self.failure = _failure(where, facts["errors"], self.job.reader.name, ours=self._ours)

    def _fault(self, facts: Mapping[str, Any]) -> None:
        first = str(facts["errors"][0]["message"])
        if first.startswith(_PATTERN):
            self.failure = SettingsError(first.removeprefix(_PATTERN))
        else:
            self.failure = _failure("The host failed", facts["errors"], self.job.reader.name, ours=False)

    def _not_applicable(self, facts: Mapping[str, Any]) -> None:
        self.not_applicable.append(str(facts["step"]))

    def _version(self, facts: Mapping[str, Any]) -> None:
        self.version = str(facts["version"])

    def _tested(self, facts: Mapping[str, Any]) -> None:
        self.tested = facts

    def _end(self, facts: Mapping[str, Any]) -> None:
        self.ended = True


def _failure(where: str, errors: Iterable[Mapping[str, Any]], reader: str, *, ours: bool) -> BridgeError:
    """Return what the errors of a step amount to: a row that is none, a refused sign-in, a failed reader.

    Of a failed reader it is said where it named something that Microsoft has retired.
    """
    listed = list(errors)
    if ours and any(str(one["message"]).startswith(_SIGN_IN) for one in listed):
        return SignInError(f"{where}: {sentences(listed)}")
    rows = [str(one["message"]).removeprefix(_ROW) for one in listed if _is_row(one)]
    if rows:
        return ReaderOutputError(
            f"{where}: {rows[0]}.",
            hint="The reader must emit one object with the step's columns for each row.",
        )
    if ours and listed and all(str(one["message"]).startswith(_AGAIN) for one in listed):
        plain = [{**one, "message": str(one["message"]).removeprefix(_RESTART), "id": ""} for one in listed]
        return ReaderError(f"{where}: {sentences(plain)}", hint=_LATER, retryable=True)
    said = f"{where}: {sentences(listed)}"
    if gone := retired.named_in(" ".join(f"{one['message']} {one['id']}" for one in listed), reader):
        return ReaderError(f"{said}. {retired.sentences(gone)}", hint=retired.WAY_ON)
    return ReaderError(said)


def _is_row(error: Mapping[str, Any]) -> bool:
    return str(error["message"]).startswith(_ROW)


def sentences(errors: Iterable[Mapping[str, Any]]) -> str:
    """Return the first errors as one text: what was said, and where in which script."""
    listed = list(errors)
    more = f"; and {len(listed) - _MOST_ERRORS} more" if len(listed) > _MOST_ERRORS else ""
    return "; ".join(_sentence(one) for one in listed[:_MOST_ERRORS]) + more


def _sentence(error: Mapping[str, Any]) -> str:
    text = str(error["message"]).strip()
    if error["script"]:
        name = str(error["script"]).replace("\\", "/").rpartition("/")[2]
        text += f" ({name}, line {error['line']})"
    if error["id"] and error["id"] not in text:
        text += f" [{error['id']}]"
    return text
