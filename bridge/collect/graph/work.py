"""A step at work: who is asked, what is written, and what is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bridge import system
from bridge.capture import CaptureWriter
from bridge.collect.graph.conversation import Client, cut
from bridge.collect.graph.names import Names
from bridge.collect.graph.reports import Report
from bridge.model import Gap, Say, Step, Talk
from bridge.web.route import Route

_BEAT = 2.0  # seconds between two words about the rows so far
_GAP_TEXT = 600  # UTF-16 units of a gap, as the PowerShell host cuts it


@dataclass(frozen=True, slots=True)
class Options:
    """What the connection's parameters ask for; ``root`` ends in /v1.0, ``hosts`` are in lower case."""

    root: str
    reports: tuple[Report, ...]
    period: str
    hosts: frozenset[str]
    sign_ins: bool
    names: Names

    @property
    def is_local(self) -> bool:
        """Whether Graph is simulated on this machine, without TLS."""
        return urlsplit(self.root).scheme == "http"


@dataclass
class Work:
    """One step while it is collected. ``route`` is for clients of other services than Graph."""

    step: Step
    options: Options
    client: Client
    writer: CaptureWriter
    say: Say
    route: Route
    gaps: list[Gap] = field(default_factory=list)
    _told: float = field(default_factory=system.stopwatch)

    def write(self, lines: Sequence[bytes]) -> None:
        """Write row lines, and tell from time to time how many there are."""
        self.writer.write_lines(lines)
        if system.stopwatch() - self._told >= _BEAT:
            self._told = system.stopwatch()
            rows = self.writer.rows
            self.say(Talk("rows", f"{rows:,} rows", step=self.step.id, rows=rows))

    def log(self, text: str) -> None:
        """Tell something that leaves nothing out."""
        self.say(Talk("log", text, step=self.step.id))

    def gap(self, name: str, text: str) -> None:
        """Note that something is left out."""
        shown = cut(text, _GAP_TEXT)
        if len(text.encode("utf-16-le", "surrogatepass")) > 2 * _GAP_TEXT:
            shown += "..."
        self.gaps.append(Gap(name, shown))
        self.say(Talk("gap", f"{name} (1): {shown}", step=self.step.id))

    def restart(self) -> None:
        """Begin again with nothing."""
        self.writer.restart()
        self.gaps.clear()
