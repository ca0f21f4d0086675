"""The host process: an order in, its events out, each proved by the order's mark and a running number."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bridge import system
from bridge.collect.powershell.job import Order
from bridge.errors import BeaconError
from bridge.secrets.guises import MARK, in_code_pages

MOST_EVENT_BYTES = 1024 * 1024
MOST_LOG_LINES = 5000  # of standard output without the mark, and of standard error, each
_MOST_LOG_CHARACTERS = 2000
_WAITING_LINES = 1000  # between the reading threads and us; the child waits when there are more
_FAREWELL = 3.0  # seconds for the reading threads to end after the process
_PATIENCE = 0.2  # seconds between looks at the process


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the host: its name, its facts, and whether an event before it is missing."""

    name: str
    facts: Mapping[str, Any]
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of standard output without the mark, or of standard error: log text, whoever wrote it."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is gone; ``code`` is its exit code."""

    code: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing came for a moment: time to look at the deadlines."""


Heard = Event | Line | Ended | Quiet


class Host:
    """A PowerShell process that runs Invoke-Reader.ps1; leaving the context ends its whole process tree."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], cwd: Path, order: Order) -> None:
        self._order = order
        self._heard: queue.Queue[Event | Line | None] = queue.Queue(_WAITING_LINES)
        self._expected = 0
        self._hidden = in_code_pages(order.guises)
        try:
            self._child = system.Child(argv, env=environment, cwd=cwd)
        except OSError as error:
            raise BeaconError(f"{argv[0]} cannot be started: {error.strerror or error}.") from error
        out, err, self._input = self._pipes()
        self._readers = [
            threading.Thread(target=self._read, args=(out, "output"), daemon=True),
            threading.Thread(target=self._read, args=(err, "error"), daemon=True),
            threading.Thread(target=self._write_order, daemon=True),
        ]

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        process = self._child.process
        if process.stdout is None or process.stderr is None or process.stdin is None:
            raise BeaconError("The PowerShell process has no pipes.")
        return process.stdout, process.stderr, process.stdin

    def __enter__(self) -> Self:
        for thread in self._readers:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill_tree()
        until = system.stopwatch() + _FAREWELL
        while any(thread.is_alive() for thread in self._readers) and system.stopwatch() < until:
            with contextlib.suppress(queue.Empty):  # a reading thread may wait for room in the queue
                self._heard.get(timeout=0.05)
        if any(thread.is_alive() for thread in self._readers):
            return  # a process that left the tree holds our pipes: they and their threads end with it
        for pipe in self._pipes():
            with contextlib.suppress(OSError):
                pipe.close()

    # --- speaking ---

    def answer(self, line: bytes) -> None:
        """Answer a question of the host."""
        with contextlib.suppress(OSError):  # it is gone, which `hear` will say
            view = memoryview(line)
            while view:
                view = view[self._input.write(view) :]

    def _write_order(self) -> None:
        self.answer(self._order.line)
        if not self._order.asks:
            with contextlib.suppress(OSError):
                self._input.close()

    # --- listening ---

    def hear(self) -> Iterator[Heard]:
        """Yield what is heard, with a Quiet now and then, until the process has ended."""
        open_streams, until = 2, float("inf")
        while open_streams and system.stopwatch() < until:
            heard: Heard | None = Quiet()
            with contextlib.suppress(queue.Empty):
                heard = self._heard.get(timeout=_PATIENCE)
            if heard is None:
                open_streams -= 1
                continue
            yield heard
            if not isinstance(heard, Event) and self._child.process.poll() is not None:
                # something that the reader started may hold our pipes open, and write to them
                until = min(until, system.stopwatch() + _FAREWELL)
        yield from self._left()
        yield Ended(self._child.process.wait())

    def _left(self) -> Iterator[Heard]:
        """Yield what has come by now and is not heard yet."""
        for _ in range(self._heard.qsize()):
            if heard := self._heard.get():
                yield heard

    def _read(self, stream: IO[bytes], source: str) -> None:
        lines = _Lines(self._order.mark.encode())
        with contextlib.suppress(OSError, ValueError):
            while chunk := stream.read(65536):
                for whole in lines.feed(chunk):
                    self._take(whole, source, lines)
            for whole in lines.rest():
                self._take(whole, source, lines)
        if lines.dropped:
            self._heard.put(Line(source, f"{lines.dropped:,} more lines are not kept"))
        self._heard.put(None)

    def _take(self, line: bytes, source: str, lines: _Lines) -> None:
        if source == "output" and lines.is_marked(line):
            event = self._event(line)
            if event is not None:
                self._heard.put(event)
                return
        if lines.may_keep(line):
            for hidden in self._hidden:
                line = line.replace(hidden, MARK.encode())
            self._heard.put(Line(source, line[:_MOST_LOG_CHARACTERS].decode("utf-8", "replace").rstrip()))

    def _event(self, line: bytes) -> Event | None:
        """Return the event of a marked line; None if it is torn, which loses it."""
        try:
            _, number, content = line.decode().split(" ", 2)
            facts = json.loads(content)
            name = str(facts.pop("event"))
            place = int(number)
        except (ValueError, KeyError, AttributeError, TypeError):
            return None
        lost = place != self._expected
        self._expected = place + 1
        return Event(name, facts, lost)


@dataclass
class _Lines:
    """Cuts a stream into lines, bounds their length, and counts those that are too many to keep."""

    mark: bytes
    dropped: int = 0
    _kept: int = 0
    _torn: bool = False  # inside a line that was too long
    _parts: list[bytes] = field(default_factory=list)
    _size: int = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that are whole now; of one that is too long, its beginning."""
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            self._add(line)
            yield from self._end()
        self._add(rest)

    def rest(self) -> Iterator[bytes]:
        """Yield the last line if it has no end."""
        if self._size:
            yield from self._end()

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if part and self._size <= MOST_EVENT_BYTES:
            self._parts.append(part)
        elif part and not self._torn:
            self._torn = True
            self._parts = [b"".join(self._parts)[:_MOST_LOG_CHARACTERS]]

    def _end(self) -> Iterator[bytes]:
        line, torn = b"".join(self._parts), self._torn
        self._parts, self._size, self._torn = [], 0, False
        if torn:
            line = b"(a line of over 1 MiB) " + line.replace(self.mark, b"...")
        if line.strip():
            yield line

    def is_marked(self, line: bytes) -> bool:
        """Return whether a line bears the mark."""
        return line.startswith(self.mark + b" ")

    def may_keep(self, line: bytes) -> bool:
        """Return whether a log line may be kept; count it otherwise."""
        if self._kept >= MOST_LOG_LINES:
            self.dropped += 1
            return False
        self._kept += 1
        return True
