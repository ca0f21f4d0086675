"""An answer over HTTP, before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HANG_UP = 0  # a status that is not sent: the connection ends without an answer


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; its text is sent as UTF-8."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
