"""The step Control: how many users there are by Graph's own count, asked first and last."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from functools import partial

import requests

from bridge import system
from bridge.collect.graph.cells import Lines, text
from bridge.collect.graph.conversation import refusal
from bridge.collect.graph.work import Work
from bridge.errors import ReaderError

CELLS = {name: text(name) for name in ("Entity", "Moment", "Count")}
_EVENTUAL = {"ConsistencyLevel": "eventual"}
_USERS = "/users/$count"
_LICENSED = "/users/$count?$filter=assignedLicenses/$count%20ne%200&$count=true"
_NUMBER = re.compile("[0-9]{1,18}")


def read(work: Work) -> None:
    """Write the two counts; one of licensed users that this cloud does not answer is told."""
    lines = Lines([CELLS[column.prop] for column in work.step.columns])
    work.write([lines.line(_counted("User", _asked(work, _USERS)))])
    licensed = _asked(work, _LICENSED)
    if licensed.status_code in {400, 404}:
        work.log("fact: LicensedUser is not counted by this cloud")
    else:
        work.write([lines.line(_counted("LicensedUser", licensed))])


def _asked(work: Work, path: str) -> requests.Response:
    return work.client.run(partial(work.client.get, work.options.root + path, headers=_EVENTUAL))


def _counted(entity: str, answer: requests.Response) -> dict[str, str | None]:
    if answer.status_code != 200:
        raise refusal(answer, "User.Read.All")
    number = answer.content.decode("utf-8-sig", "replace").strip()
    if not _NUMBER.fullmatch(number):
        raise ReaderError(f"Microsoft Graph counted {entity} as {number[:80]!r}, expected a number.")
    return {"Entity": entity, "Moment": _moment(answer.headers.get("Date")), "Count": str(int(number))}


def _moment(date: str | None) -> str | None:
    """Return the moment of an HTTP date; None without one."""
    try:
        return None if date is None else system.timestamp(parsedate_to_datetime(date))
    except ValueError:
        return None
