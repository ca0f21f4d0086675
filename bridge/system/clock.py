"""The clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """Return ``2026-11-22T08:15:30Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stopwatch() -> float:
    """Return seconds of a clock that never jumps."""
    return time.monotonic()
