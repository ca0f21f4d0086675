"""Report files at their own addresses, which need no token because they are secrets themselves.

Graph answers a request for a report with 302 to such an address; it is good for a few minutes.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterator
from itertools import islice

from tools.tenant.answers import Answer
from tools.tenant.data import Tenant
from tools.tenant.reports import REPORTS, Report

LIFE = 300.0  # seconds
_LINES = 200  # rows in a part


class Downloads:
    """The report files of one tenant; ``base`` is the address in front of the secret part.

    ``cut`` is how a file ends too early: ``length`` (less than Content-Length says), ``row`` (in the middle
    of a row), or not at all.
    """

    def __init__(
        self, tenant: Callable[[], Tenant], base: str, now: Callable[[], float], cut: str = ""
    ) -> None:
        self.base = base
        self._tenant, self._now, self._cut = tenant, now, cut
        self._key = secrets.token_bytes(32)

    def address(self, report: Report, period: str) -> str:
        """Return the address of a file."""
        content = json.dumps([report.name, period, self._now() + LIFE]).encode()
        return self.base + base64.urlsafe_b64encode(self._sign(content) + content).decode().rstrip("=")

    def answer(self, secret: str, authorization: str) -> Answer:
        """Return the file that the last part of an address means."""
        if authorization:
            return _refused(400, "InvalidAuthenticationInfo")
        found = self._open(secret)
        if found is None:
            return _refused(403, "AuthenticationFailed")
        return self.file(*found)

    def file(self, report: Report, period: str) -> Answer:
        """Return a report's file."""
        headers = {"Content-Type": "application/octet-stream"}

        def parts() -> Iterator[bytes]:
            return _parts(report, self._tenant(), period)

        if self._cut == "length":
            length = sum(map(len, parts()))
            return Answer(200, "", {**headers, "Content-Length": str(length)}, _half(parts(), length))
        if self._cut == "row":
            return Answer(200, "", {**headers, "Connection": "close"}, _in_a_row(parts()))
        return Answer(200, "", headers, parts())

    def _open(self, secret: str) -> tuple[Report, str] | None:
        try:
            raw = base64.b64decode(secret + "=" * (-len(secret) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        if not hmac.compare_digest(raw[:16], self._sign(raw[16:])):
            return None
        name, period, until = json.loads(raw[16:])
        return (REPORTS[name], period) if self._now() <= until else None

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")[:16]


def _refused(status: int, code: str) -> Answer:
    """Return a refusal as a storage host writes it."""
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code></Error>'
    return Answer(status, body, {"Content-Type": "application/xml"})


# --- the file ---


def _parts(report: Report, tenant: Tenant, period: str) -> Iterator[bytes]:
    """Yield a report's CSV a few rows at a time; cells that need it are quoted."""
    rows = report.rows(tenant, period)
    header = ",".join(report.columns) + report.break_
    yield (b"\xef\xbb\xbf" if report.mark else b"") + header.encode()
    while part := list(islice(rows, _LINES)):
        yield "".join(_line(row, report) for row in part).encode()


def _line(row: list[str], report: Report) -> str:
    for place in report.free:
        row[place] = _cell(row[place])
    return ",".join(row) + report.break_


def _cell(text: str) -> str:
    return f'"{text.replace(_QUOTE, _QUOTE * 2)}"' if _SPECIAL.search(text) else text


_QUOTE = '"'
_SPECIAL = re.compile(r'[",\r\n]|^\s|\s$')


def _half(parts: Iterator[bytes], length: int) -> Iterator[bytes]:
    """Yield half of the file."""
    left = length // 2
    for part in parts:
        yield part[:left]
        left -= len(part[:left])


def _in_a_row(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the header and the first cell of the first row, or half of the header."""
    header = next(parts)
    first = next(parts, None)
    if first is None:
        yield header[: len(header) // 2]
    else:
        yield header + first.partition(b",")[0]
