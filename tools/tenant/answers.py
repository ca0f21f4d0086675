"""An answer over HTTP, before it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HANG_UP = 0  # a status that is not sent: the connection ends without an answer


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; its text is sent as UTF-8.

    ``parts`` are sent one after the other instead of a text, chunked. With a ``Content-Length`` or
    ``Connection: close`` among the headers they are sent bare, and the connection ends after them.
    """

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: Iterable[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A GET: the path and query, and the headers that Graph looks at."""

    target: str
    authorization: str = ""
    consistency: str = ""
