"""Connections side by side: each runs in a process of its own, and none can touch another."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from bridge import expiry, system
from bridge.errors import EXIT_INTERRUPTED, EXIT_SEVERAL, BridgeError
from bridge.model import Connection, State, Web
from bridge.runs.record import Run
from bridge.runs.store import Runs

Hear = Callable[[str, str], None]  # a connection's name, and a line that its run said


@dataclass(frozen=True, slots=True)
class Ended:
    """How one connection's process ended: its exit code, its run, and the error it told if it failed."""

    connection: str
    exit_code: int
    run: Run | None = None
    error: Mapping[str, object] | None = None

    @property
    def why(self) -> str:
        """The sentence of the error, empty where there is none."""
        return str(self.error.get("sentence", "")) if self.error else ""


@dataclass(frozen=True)
class Command:
    """How the run of one connection is started: the words before its name and after, and where."""

    before: Sequence[str]
    after: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    folder: Path

    def words(self, connection: str) -> list[str]:
        """Return the whole command line."""
        return [*self.before, "run", connection, "--json", *self.after]


class Many:
    """Runs connections side by side, at most ``jobs`` at a time."""

    def __init__(self, command: Command, runs: Runs, hear: Hear) -> None:
        self._command, self._runs, self._hear = command, runs, hear
        self._children: dict[str, system.Child] = {}
        self._lock = threading.Lock()
        self._stopped = False
        self._began = system.now()

    def run(self, inputs: Mapping[str, str], jobs: int) -> list[Ended]:
        """Run the connections whose names are the keys of ``inputs``; the values are their standard input.

        On KeyboardInterrupt every child ends with its whole tree, and its run is recorded as interrupted.
        """
        with ThreadPoolExecutor(max_workers=jobs) as pool, self._ending(pool):
            futures = [pool.submit(self._one, name, text) for name, text in inputs.items()]
            self._await(futures)
            return [future.result() for future in futures]

    def _await(self, futures: Iterable[Future[Ended]]) -> None:
        waiting = set(futures)
        while waiting:
            _, waiting = wait(waiting, timeout=system.LOOK)

    @contextmanager
    def _ending(self, pool: ThreadPoolExecutor) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._stop(pool)
            raise

    def _stop(self, pool: ThreadPoolExecutor) -> None:
        """End every child, and record its run as interrupted."""
        with self._lock:
            self._stopped = True
            children = dict(self._children)
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children.values():
            child.kill_tree()
        for name in children:
            note_interrupted(self._runs, name, self._began)

    # --- one connection ---

    def _one(self, name: str, text: str) -> Ended:
        child = self._start(name)
        if child is None:
            return Ended(name, EXIT_INTERRUPTED)
        try:
            listener = threading.Thread(target=self._listen, args=(name, child.process.stderr), daemon=True)
            listener.start()
            _give(child.process.stdin, text)
            said = child.process.stdout.read() if child.process.stdout else b""
            code = child.process.wait()
            listener.join()
        finally:
            child.kill_tree()
        return self._ended(name, code, said)

    def _start(self, name: str) -> system.Child | None:
        """Start a connection's process, unless everything is being stopped."""
        with self._lock:
            if self._stopped:
                return None
            environment = {**self._command.environment, "PYTHONIOENCODING": "utf-8:backslashreplace"}
            words = self._command.words(name)
            child = system.Child(words, env=environment, cwd=self._command.folder)
            self._children[name] = child
            return child

    def _listen(self, name: str, stream: IO[bytes] | None) -> None:
        """Hear every line to the end, whatever becomes of it: a child whose words pile up would wait."""
        if stream is None:
            return
        with os.fdopen(stream.fileno(), encoding="utf-8", errors="backslashreplace", closefd=False) as lines:
            for line in lines:
                if line.strip():
                    with suppress(OSError):
                        self._hear(name, line.rstrip())

    def _ended(self, name: str, code: int, said: bytes) -> Ended:
        value = _value(said)
        error = value.get("error") if "exit_code" in _table(value.get("error")) else None
        if error is None and code and "run" not in value:
            error = _silent(name, code)
            code = BridgeError.exit_code
        made = [
            run for run in self._runs.all() if run.connection == name and run.started >= _whole(self._began)
        ]
        return Ended(name, code, made[-1] if made else None, _table(error) or None)


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _give(stdin: IO[bytes] | None, text: str) -> None:
    """Hand a child its secrets, and close its input; one that has ended already takes nothing."""
    if stdin is None:
        return
    with suppress(OSError), stdin:
        stdin.write(text.encode())


def _value(said: bytes) -> Mapping[str, Any]:
    try:
        return _table(json.loads(said))
    except ValueError:
        return {}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _silent(name: str, code: int) -> Mapping[str, object]:
    return {
        "name": "BridgeError",
        "sentence": f"The process of {name} ended with {code} and did not say why.",
        "hint": f'beacon-bridge show "last:{name}"',
        "retryable": True,
        "exit_code": BridgeError.exit_code,
    }


def note_interrupted(runs: Runs, connection: str, began: datetime) -> None:
    """Record as interrupted each run of a connection that began since then and whose process is gone."""
    for run in runs.all():
        if run.connection == connection and run.started >= _whole(began) and run.state is State.ABANDONED:
            runs.save(replace(run, state=State.INTERRUPTED, ended=system.now()))
            runs.note(run, "interrupted")


# --- what goes in, what comes out ---


def inputs(connections: Iterable[Connection], web: Web, read_stdin: Callable[[], str]) -> dict[str, str]:
    """Return each connection's standard input: its own ``stdin:`` secrets and nobody else's.

    ``read_stdin`` is called only if any connection names such a secret.
    """
    wanted = {one.name: stdin_names(one, web) for one in connections}
    lines = read_stdin().splitlines() if any(wanted.values()) else []
    return {
        name: "".join(f"{line}\n" for line in lines if line.partition("=")[0].strip() in names)
        for name, names in wanted.items()
    }


def stdin_names(connection: Connection, web: Web) -> frozenset[str]:
    """Return the names of the secrets that a connection takes from standard input."""
    named = [*expiry.references(connection), *([web.proxy_password] if web.proxy_password else [])]
    return frozenset(one.name for one in named if one.where == "stdin")


def exit_code(ended: Iterable[Ended]) -> int:
    """Return 0, the code that all failures share, or 12 where they differ."""
    codes = {one.exit_code for one in ended if one.exit_code}
    return EXIT_SEVERAL if len(codes) > 1 else next(iter(codes), 0)
