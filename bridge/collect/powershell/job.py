"""The job: the one line of JSON that tells the host what to do (docs/formats.md describes it).

Every text is base64 of UTF-8, because PowerShell 7 would take a text that looks like a date for one.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bridge.capture import capture_paths, column_element, keys
from bridge.errors import SettingsError
from bridge.model import Function, InputVariable, Job, Owner, Secret, Step
from bridge.secrets.guises import guises
from bridge.web.route import ProxyLogin

Task = Literal["probe", "test", "version", "collect"]


@dataclass(frozen=True, slots=True)
class Order:
    """A job for the host: its line, the mark that its events bear, and the guises that no log may show."""

    line: bytes = field(repr=False)
    mark: str
    guises: tuple[str, ...] = field(repr=False)
    asks: bool  # whether the host may ask for tokens, and so keeps its standard input open


def probe() -> Order:
    """Return the order to say hello and end."""
    return _order("probe", {}, (), asks=False)


def of(task: Task, job: Job, login: ProxyLogin | None = None) -> Order:
    """Return the order for a job, with the proxy that asks for a password if there is one.

    SettingsError if a value is no Unicode text.
    """
    reader = job.reader
    asks = job.token is not None and reader.owner is Owner.BRIDGE
    content: dict[str, object] = {
        "reader": _text(reader.name),
        "owner": reader.owner.value,
        "ours": reader.owner is Owner.BRIDGE,
        "sha256": reader.sha256,
        "engine": "powershell",
        "scripts": [_text(str(path)) for path in reader.scripts],
        "values": [[_text(name), _value(name, value)] for name, value in job.values.items()],
        "tolerate": _texts(job.tolerate_errors),
        "skip": _texts(job.skip_patterns),
        "test": _function(reader.test) if task == "test" else None,
        "version": _function(reader.version_check) if _wants_version(task, job) else None,
        "steps": _steps(job) if task == "collect" else [],
        "proxy": _proxy(login) if login else None,
    }
    secrets = [value.reveal() for value in job.values.values() if isinstance(value, Secret)]
    secrets += [login.password.reveal()] if login else []
    return _order(task, content, guises(secrets), asks=asks)


# The host reads every key under strict mode, so each is there.
_NOTHING: Mapping[str, object] = {
    "ours": False,
    "values": [],
    "tolerate": [],
    "skip": [],
    "scripts": [],
    "proxy": None,
}


def _order(task: Task, content: dict[str, object], shown: tuple[str, ...], *, asks: bool) -> Order:
    mark = os.urandom(12).hex()
    whole = {
        "task": task,
        "mark": mark,
        "parent": os.getpid(),
        "token": asks,
        "secrets": _texts(shown),
        **_NOTHING,
        **content,
    }
    return Order(json.dumps(whole, ensure_ascii=True).encode() + b"\n", mark, shown, asks)


def _proxy(login: ProxyLogin) -> dict[str, object]:
    return {
        "address": _text(login.address),
        "user": _text(login.user),
        "password": _value("proxy_password", login.password),
        "passed_by": _texts(login.passed_by),
    }


def _wants_version(task: Task, job: Job) -> bool:
    """Return whether the source's version is asked for: to test it, or because a step depends on it."""
    return task == "version" or (
        task == "collect" and any(step.version_from for step in job.reader.to_collect)
    )


def _function(function: Function | None) -> dict[str, object] | None:
    return None if function is None else _call(function.method, function.inputs)


def _call(method: str, inputs: Iterable[InputVariable]) -> dict[str, object]:
    return {"method": _text(method), "inputs": [[_text(one.name), _text(one.variable)] for one in inputs]}


def _steps(job: Job) -> list[dict[str, object]]:
    return [_step(step, str(path)) for step, path in capture_paths(job)]


def _step(step: Step, path: str) -> dict[str, object]:
    columns = list(zip(keys(len(step.columns)), step.columns, strict=True))
    return {
        "id": _text(step.id),
        "file": _text(step.file),
        "procedure": _text(step.procedure),
        "step": _text(step.name),
        "table": _text(step.table),
        "capture": _text(path),
        "from": step.version_from,
        "head": _text("".join(column_element(key, column) for key, column in columns)),
        "columns": [
            {"key": key, "name": _text(column.name), "property": _text(column.prop)}
            for key, column in columns
        ],
        **_call(step.method, step.inputs),
    }


def answer(token: Secret) -> bytes:
    """Return the answer to the host's question for a token: it, and the guises that no log may show."""
    text = token.reveal()
    return json.dumps({"token": _text(text), "secrets": _texts(guises([text]))}).encode() + b"\n"


def refusal(sentence: str) -> bytes:
    """Return the answer to the host's question when there is no token."""
    return json.dumps({"token": None, "error": _text(sentence)}).encode() + b"\n"


def _texts(texts: Iterable[str]) -> list[str]:
    return [_text(text) for text in texts]


def _value(name: str, value: str | Secret) -> str:
    try:
        return _text(value.reveal() if isinstance(value, Secret) else value)
    except UnicodeEncodeError:
        raise SettingsError(
            f"The parameter {name} is no Unicode text.", hint="Give it again, as UTF-8."
        ) from None


def _text(text: str) -> str:
    return b64encode(text.encode()).decode()
