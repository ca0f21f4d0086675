"""The native engine: our reader folder Microsoft 365 read in Python, row for row as PowerShell reads it."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from bridge import system
from bridge.capture import CaptureWriter, Header, capture_paths
from bridge.collect.graph.calls import CALLS, Unfit
from bridge.collect.graph.conversation import Bearer, Client, Deadline, connected
from bridge.errors import BeaconError, ReaderError, SettingsError
from bridge.model import Bits, Capture, Collected, EngineFacts, Job, Owner, Reader, Say, Step, Talk, Web
from bridge.web.route import Route

READER = "Microsoft 365"
_BEAT = 2.0  # seconds between two words about the rows so far


# --- the engine ---


@dataclass(frozen=True)
class Graph:
    """Collects our own reader folder without PowerShell; any other folder is refused by name."""

    route: Route = field(default_factory=lambda: Route(Web()))

    def collect(self, job: Job, say: Say) -> Collected:
        """Read every step in order; each leaves its capture.

        Raises BeaconError (a folder that is not ours), SettingsError (GraphRoot), SignInError (the token) and
        ReaderError (Graph refused, did not answer, or took too long).
        """
        _refuse_foreign(job.reader)
        root = graph_root(str(job.values["GraphRoot"]))
        bearer = Bearer(job.values["AccessToken"], job.token)
        run = Deadline.after(job.minutes.run, "run")
        captures = []
        with connected(self.route) as session:
            for step, path in capture_paths(job):
                deadline = min(run, Deadline.after(job.minutes.step, "step"), key=lambda one: one.at)
                client = Client(session, root, bearer, deadline, partial(_tell_wait, say, step))
                header = Header.of(job, step, engine="native", bits="none", version=platform.python_version())
                with CaptureWriter(path, header) as writer:
                    captures.append(_collect_step(step, client, writer, say))
        facts = EngineFacts("native", Bits(None, None), version=platform.python_version(), edition="Python")
        return Collected(facts, tuple(captures))


def _refuse_foreign(reader: Reader) -> None:
    """Refuse every folder but ours, and ours if it has changed without this engine."""
    if reader.owner is not Owner.BRIDGE or reader.name != READER:
        raise BeaconError(
            f"The native engine reads bridge:{READER} only, not the {reader.owner} folder {reader.name!r}.",
            hint=f'Set reader = "bridge:{READER}", or engine = "powershell".',
        )
    known = {step: set(call.cells) for step, call in CALLS.items()}
    found = {step.id: {column.prop for column in step.columns} for step in reader.to_collect}
    if found != known:
        different = sorted(step for step in {*known, *found} if known.get(step) != found.get(step))
        raise BeaconError(
            f"The native engine does not know these steps of {reader.folder} as they are: "
            f"{', '.join(different)}.",
            hint="Install beacon-bridge again, whole.",
        )


def _collect_step(step: Step, client: Client, writer: CaptureWriter, say: Say) -> Capture:
    call = CALLS[step.id]
    cells = [call.cells[column.prop] for column in step.columns]
    say(Talk("step", step.id, step=step.id))
    told = system.stopwatch()
    for item in client.items(call):
        try:
            for row in call.rows(item):
                writer.write([cell(row) for cell in cells])
        except Unfit as error:
            raise ReaderError(f"{step.id}, row {writer.rows + 1}: {error}.") from error
        if system.stopwatch() - told >= _BEAT:
            told = system.stopwatch()
            say(Talk("rows", f"{writer.rows:,} rows", step=step.id, rows=writer.rows))
    capture = writer.finish()
    say(Talk("step", step.id, step=step.id, rows=writer.rows, done=True))
    return capture


def _tell_wait(say: Say, step: Step, text: str) -> None:
    say(Talk("wait", text, step=step.id))


def graph_root(text: str) -> str:
    """Return the address below which the calls lie, always ending in /v1.0; SettingsError if it is none."""
    root = text.strip().rstrip("/").removesuffix("/v1.0")
    try:
        parts = urlsplit(root)
        good = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
    except ValueError:
        good = False
    if not good or not parts.hostname:
        raise SettingsError(
            f"GraphRoot is {text!r}, expected an https address.",
            hint='Write GraphRoot = "https://graph.microsoft.com", or the root of your national cloud.',
        )
    return root + "/v1.0"


def _is_loopback(host: str | None) -> bool:
    return host in {"localhost", "::1"} or (host or "").startswith("127.")
