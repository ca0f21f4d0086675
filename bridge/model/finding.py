"""A finding of a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.errors import BridgeError


@dataclass(frozen=True, slots=True)
class Finding:
    """One prerequisite: its topic, how it stands, what was found, how to mend it."""

    topic: str
    level: Literal["ok", "info", "warn", "fail"]
    text: str
    fix: str = ""
    exit_code: int = 0

    @classmethod
    def of(cls, topic: str, error: BridgeError) -> Finding:
        """Return the finding that an error is."""
        return cls(topic, "fail", str(error), error.hint, error.exit_code)

    @property
    def line(self) -> str:
        """The finding on one line."""
        fix = f". Fix: {self.fix}" if self.fix else ""
        text = " ".join(self.text.split()).rstrip(".")
        return f"{self.level:<4}  {self.topic}: {text}{fix}"
