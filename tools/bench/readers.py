"""What reads a tenant in a process of its own: `python -m tools.bench.readers JOB FOLDER ROOT TOKEN`.

``native`` and ``powershell`` are our engines with every step but the usage reports. ``loop`` asks for the
native engine's pages with requests and json alone. ``sdk`` has msgraph-sdk page through the same users.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tools.bench.child import peak_bytes

PARAMETERS = {"Reports": "none", "Period": "", "ReportHosts": "", "SignIns": "yes", "ProductNames": ""}


def native(folder: Path, root: str, token: str) -> dict[str, float]:
    """Read everything but the reports with the native engine; msal is loaded, as it is in a run."""
    import msal  # type: ignore[import-untyped]  # noqa: F401, PLC0415

    from bridge.collect.graph import Graph  # noqa: PLC0415

    return _collect(Graph(), folder, root, token)


def powershell(folder: Path, root: str, token: str) -> dict[str, float]:
    """Read the same in this machine's PowerShell."""
    from bridge import assembly  # noqa: PLC0415

    return _collect(assembly.find_tester(os.environ), folder, root, token)


def _collect(engine: Any, folder: Path, root: str, token: str) -> dict[str, float]:  # noqa: ANN401  # an Engine
    from bridge import beacon  # noqa: PLC0415
    from bridge.model import Job, Minutes, Owner, Secret  # noqa: PLC0415
    from bridge.readers import folder as reader_folder  # noqa: PLC0415

    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    (run / "capture").mkdir(parents=True)
    ours = reader_folder.load(beacon.shipped() / "Inventory" / "Reader" / "Microsoft 365", Owner.BRIDGE)
    values: dict[str, str | Secret] = {**PARAMETERS, "GraphRoot": root, "AccessToken": Secret(token)}
    begun = time.monotonic()
    collected = engine.collect(Job("bench", ours, values, run, Minutes()), lambda talk: None)
    seconds = time.monotonic() - begun
    users = next(one.rows for one in collected.captures if one.step == "User.xml/User")
    return {"seconds": seconds, "users": users}


def calls() -> list[str]:
    """Return the native engine's lists, as the parts of their addresses below /v1.0."""
    from bridge.collect.graph.calls import CALLS  # noqa: PLC0415

    return list(dict.fromkeys(call.path for call in CALLS.values()))


def pages(users: int) -> int:
    """Return the requests on the native engine's longest way: the counts, and the list of most pages."""
    sizes = [
        int(found[1]) for found in (re.search(r"/users\?.*\$top=(\d+)", path) for path in calls()) if found
    ]
    return 4 + max(-(-users // size) for size in sizes)


def loop(folder: Path, root: str, token: str) -> dict[str, float]:
    """Ask for the same pages and parse them; nothing else."""
    import requests  # noqa: PLC0415

    del folder
    items = 0
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        for path in calls():
            for page in _followed(session, f"{root}/v1.0{path}"):
                items += len(page["value"])
    return {"items": items}


def _followed(session: Any, link: str | None) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # a requests.Session
    while link:
        page = json.loads(session.get(link).content)
        yield page
        link = page.get("@odata.nextLink")


def sdk(folder: Path, root: str, token: str) -> dict[str, float]:
    """Have msgraph-sdk page through the users: with the fields of the step User, then those of Assignment."""
    del folder
    return {"users": asyncio.run(_sdk(root, token))}


async def _sdk(root: str, token: str) -> int:
    from kiota_abstractions.authentication import AuthenticationProvider  # noqa: PLC0415
    from kiota_abstractions.base_request_configuration import RequestConfiguration  # noqa: PLC0415
    from msgraph import GraphRequestAdapter, GraphServiceClient  # noqa: PLC0415
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder  # noqa: PLC0415

    class Given(AuthenticationProvider):  # type: ignore[misc]  # it has no annotations
        async def authenticate_request(
            self,
            request: Any,  # noqa: ANN401  # kiota's
            additional_authentication_context: object = None,
        ) -> None:
            request.headers.try_add("Authorization", f"Bearer {token}")

    adapter = GraphRequestAdapter(Given())
    adapter.base_url = f"{root}/v1.0"
    users = GraphServiceClient(request_adapter=adapter).users
    count = 0
    for path in calls():
        found = re.search(r"/users\?\$select=([^&]*)&\$top=(\d+)", path)
        if not found:
            continue
        asked = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
            select=found[1].split(","), top=int(found[2])
        )
        page = await users.get(request_configuration=RequestConfiguration(query_parameters=asked))
        while True:
            count += len(page.value)
            if not page.odata_next_link:
                break
            page = await users.with_url(page.odata_next_link).get()
    return count


JOBS: dict[str, Callable[[Path, str, str], dict[str, float]]] = {
    "native": native,
    "powershell": powershell,
    "loop": loop,
    "sdk": sdk,
}

if __name__ == "__main__":
    told = JOBS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:5])
    if "seconds" in told:
        told["pages"] = pages(int(told["users"]))
    print(json.dumps({**told, "peak": peak_bytes()}))
