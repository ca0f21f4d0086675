"""The native engine: our reader folder Microsoft 365 read in Python, row for row as PowerShell reads it."""

from __future__ import annotations

import platform
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bridge.capture import CaptureWriter, Header, capture_paths
from bridge.collect.graph import options
from bridge.collect.graph.abreast import Stop, abreast
from bridge.collect.graph.bearer import Bearer
from bridge.collect.graph.conversation import Client, Restart
from bridge.collect.graph.steps import STEPS
from bridge.collect.graph.waiting import Budget, Deadline
from bridge.collect.graph.work import Options, Work
from bridge.errors import BeaconError, ReaderError
from bridge.model import Bits, Capture, Collected, EngineFacts, Job, Reader, Say, Step, Talk, Web
from bridge.readers.ours import CLOSING, OPENING, READER, USAGE, is_ours
from bridge.web.route import Route
from bridge.web.session import Session

RESTARTS = 5  # of one step


@dataclass(frozen=True)
class Graph:
    """Collects our own reader folder without PowerShell; any other folder is refused by name."""

    route: Route = field(default_factory=lambda: Route(Web()))

    def collect(self, job: Job, say: Say) -> Collected:
        """Read every step, most of them side by side; each leaves its capture.

        Raises BeaconError (a folder that is not ours), SettingsError (a parameter), SignInError (the token)
        and ReaderError (Graph refused, did not answer, or took too long).
        """
        _refuse_foreign(job.reader)
        asked = options.read(job.values)
        bearer = Bearer(job.values["AccessToken"], job.token)
        with closing(_OneAtATime(say)) as told:
            return self._collect(job, _Run(job, self.route, asked, bearer, told))

    def _collect(self, job: Job, run: _Run) -> Collected:
        places = list(capture_paths(job))
        ends = {OPENING, CLOSING}
        done = {
            **run.collect([place for place in places if place[0].id == OPENING]),
            **run.collect([place for place in places if place[0].id not in ends]),
            **run.collect([place for place in places if place[0].id == CLOSING]),
        }
        facts = EngineFacts("native", Bits(None, None), version=platform.python_version(), edition="Python")
        return Collected(facts, tuple(done[path] for _, path in places))


def _refuse_foreign(reader: Reader) -> None:
    """Refuse every folder but ours, and ours if it has changed without this engine."""
    if not is_ours(reader.owner, reader.name):
        raise BeaconError(
            f"The native engine reads bridge:{READER} only, not the {reader.owner} folder {reader.name!r}.",
            hint=f'Set reader = "bridge:{READER}", or engine = "powershell".',
        )
    known = {step: set(one.properties) for step, one in STEPS.items()}
    found = {step.id: {column.prop for column in step.columns} for step in reader.to_collect}
    if found != known:
        different = sorted(step for step in {*known, *found} if known.get(step) != found.get(step))
        raise BeaconError(
            f"The native engine does not know these steps of {reader.folder} as they are: "
            f"{', '.join(different)}.",
            hint="Install beacon-bridge again, whole.",
        )


class _OneAtATime:
    """A say that several threads can use, and that tells nothing any more once it is closed."""

    def __init__(self, say: Say) -> None:
        self._say: Say | None = say
        self._lock = threading.Lock()

    def __call__(self, talk: Talk) -> None:
        with self._lock:
            if self._say is not None:
                self._say(talk)

    def close(self) -> None:
        with self._lock:
            self._say = None


class _Run:
    """What the steps of one run share."""

    def __init__(self, job: Job, route: Route, asked: Options, bearer: Bearer, say: Say) -> None:
        self._job, self._route, self._options, self._bearer, self._say = job, route, asked, bearer, say
        self._deadline = Deadline.after(job.minutes.run, "run")
        self._identity, self._reports = Budget(), Budget()

    def collect(self, places: Sequence[tuple[Step, Path]]) -> dict[Path, Capture]:
        """Read steps side by side, each into its capture."""
        stop = Stop()
        captures = abreast([partial(self._step, step, path, stop) for step, path in places], stop)
        return {capture.path: capture for capture in captures}

    def _step(self, step: Step, path: Path, stop: Stop) -> Capture:
        header = Header.of(self._job, step, engine="native", bits="none", version=platform.python_version())
        with Session(self._route) as session, CaptureWriter(path, header) as writer:
            client = Client(
                session=session,
                bearer=self._bearer,
                deadline=min(
                    self._deadline,
                    Deadline.after(self._job.minutes.step, "step"),
                    key=lambda one: one.at,
                ),
                budget=self._reports if step.id == USAGE else self._identity,
                stop=stop,
                tell_wait=lambda text: self._say(Talk("wait", text, step=step.id)),
            )
            work = Work(step, self._options, client, writer, self._say, self._route)
            self._say(Talk("step", step.id, step=step.id))
            _read(work)
            stop.check()
            capture = writer.finish(work.gaps)
        self._say(Talk("step", step.id, step=step.id, rows=capture.rows, done=True))
        return capture


def _read(work: Work) -> None:
    """Read a step, from its beginning again where it cannot go on."""
    for number in range(1 + RESTARTS):
        try:
            return STEPS[work.step.id].read(work)
        except Restart as restart:
            reason = restart
        if number < RESTARTS:
            work.log(f"{work.step.id} begins again, {number + 1} of {RESTARTS}: {reason}")
            work.restart()
    raise ReaderError(
        f"{work.step.id} was begun {1 + RESTARTS} times and never came to its end: {reason}",
        hint="Run again when Microsoft Graph is less busy.",
        retryable=True,
    )
