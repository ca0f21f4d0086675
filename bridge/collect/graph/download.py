"""Report downloads: Graph answers with a pre-authenticated address, which is a secret by itself.

The rules are those of learn.microsoft.com/graph/api/reportroot-...: the address is good for a few minutes and
takes no token. Here it is checked first, asked by a client without a token, and shown nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import requests

from bridge.collect.graph.conversation import Client, Forbidden, authority, refusal
from bridge.collect.graph.reports import Report
from bridge.collect.graph.waiting import Budget
from bridge.collect.graph.work import Options, Work
from bridge.errors import ReaderError
from bridge.web.session import Session

_BLOCK = 1 << 16  # bytes that are read at a time
_PERMISSION = "Reports.Read.All"


@contextmanager
def opened(report: Report, work: Work) -> Iterator[Iterator[bytes] | None]:
    """Give a report's CSV in blocks as they come; None if this cloud has no such report.

    A download that is refused, as one whose time is up, is asked for once more from the beginning. Raises
    Forbidden without the permission, ReaderError for an address that is not allowed, Again where a download
    breaks off.
    """
    with Session(work.route) as session:
        loader = replace(
            work.client,
            session=session,
            bearer=None,
            budget=Budget(),
            who=f"The download of {report.name}",
        )
        answer = _answer(report, work, loader)
        yield None if answer is None else _ahead(loader, loader.blocks(answer, _BLOCK))


def _answer(report: Report, work: Work, loader: Client) -> requests.Response | None:
    """Return the answer whose body is the report."""
    call = work.options.root.removesuffix("/v1.0") + report.path(work.options.period)
    for _ in range(2):
        answer = work.client.run(partial(work.client.get, call, stream=True))
        if answer.status_code == 404 or (answer.status_code == 400 and report.is_retired):
            return None
        if answer.status_code == 200:
            return answer
        if answer.status_code == 403:
            raise Forbidden(refusal(answer, _PERMISSION))
        if answer.status_code != 302:
            raise refusal(answer, _PERMISSION)
        address = answer.headers.get("Location", "")
        if not is_allowed(address, work.options):
            raise _elsewhere(report, address)
        loaded = loader.run(partial(loader.get, address, stream=True))
        if loaded.status_code == 200:
            return loaded
    raise ReaderError(
        f"{loader.who} was refused twice: HTTP {loaded.status_code}.",
        hint="Run again; if it happens again, look at what stands between here and the download's host.",
        retryable=True,
    )


def is_allowed(address: str, options: Options) -> bool:
    """Return whether a report may come from an address; a simulated Graph serves its reports itself."""
    scheme, host, port = authority(address)
    if options.is_local and (scheme, host, port) == authority(options.root):
        return True
    return scheme == "https" and (host in options.hosts or f".{host}".endswith(".office.com"))


def _elsewhere(report: Report, address: str) -> ReaderError:
    scheme, host, port = authority(address)
    if not host:
        return ReaderError(f"Microsoft Graph names no address where {report.name} can be downloaded.")
    where = f"{scheme}://{host}:{port}"
    return ReaderError(
        f"Microsoft Graph wants {report.name} to be downloaded from {where}, which is not allowed.",
        hint=f'If you trust that host, set the connection\'s parameter ReportHosts = "{host}".',
    )


def _ahead(client: Client, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks that are read in a thread, so that a slow one keeps nobody from stopping."""
    while block := client.run(partial(next, blocks, b"")):
        yield block
