"""Sessions of requests that go the route of ``[http]`` and no other; every call has a deadline."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from bridge import system
from bridge.web.route import Route

SECONDS = 60.0  # without a byte, where a call does not say otherwise
_WHOLE = 5  # times as long may a whole call take, however steadily its answer drips


class _Adapter(HTTPAdapter):
    """Names us to the proxy in a header, so that the password is in no address; reads no answer for ever."""

    def __init__(self, route: Route) -> None:
        self._route = route
        super().__init__()

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Return the headers for the proxy itself."""
        header = self._route.authorization()
        return super().proxy_headers(proxy) if header is None else {"Proxy-Authorization": header}

    def send(self, request: requests.PreparedRequest, *rest: Any, **more: Any) -> requests.Response:  # noqa: ANN401  # as its parent
        """Send a request and read its answer whole; requests' Timeout if that takes far too long.

        With ``stream`` its body is left to be read, for as long as it takes.

        A thread of its own does it, for a single drip of the headers resets every timeout of a socket. One
        that is given up ends with its connection, or with this process.
        """
        ask = super().send

        def answered() -> requests.Response:
            answer = ask(request, *rest, **more)
            if not more.get("stream"):
                _ = answer.content
            return answer

        coming = system.begin(answered)
        seconds = more["timeout"] * _WHOLE
        until = system.stopwatch() + seconds
        while not wait([coming], timeout=system.LOOK).done:
            if system.stopwatch() >= until:
                raise requests.exceptions.ReadTimeout(f"no whole answer in {seconds:g} seconds")
        return coming.result()


class Session(requests.Session):
    """Goes where the route says; takes no password from a .netrc file."""

    def __init__(self, route: Route, seconds: float = SECONDS) -> None:
        super().__init__()
        self._route, self._seconds = route, seconds
        self.trust_env = False
        self.mount("https://", _Adapter(route))
        self.mount("http://", _Adapter(route))

    def request(self, *arguments: Any, **more: Any) -> requests.Response:  # noqa: ANN401  # as its parent
        """Make a request with a deadline."""
        more.setdefault("timeout", self._seconds)
        return super().request(*arguments, **more)

    def merge_environment_settings(  # type: ignore[override]  # its parent promises a private type
        self,
        url: Any,  # noqa: ANN401  # as its parent, and the next two
        proxies: Any,  # noqa: ANN401  # not asked for
        stream: bool | None,
        verify: Any,  # noqa: ANN401  # not asked for
        cert: Any,  # noqa: ANN401  # not asked for
    ) -> dict[str, Any]:
        """Return what requests would take from the environment: proxies and trust, from the route instead."""
        bundle = self._route.web.ca_bundle
        return {
            "proxies": _proxies(self._route, str(url), get_environ_proxies),
            "stream": bool(stream),
            "verify": True if bundle is None else str(bundle),
            "cert": cert,
        }


def _proxies(route: Route, url: str, system: Callable[[str], dict[str, str]]) -> dict[str, str]:
    """Return the proxies for an address; ``system`` asks the environment and, on Windows, the registry."""
    if route.web.proxy == "none" or route.passes_by((urlsplit(url).hostname or "").lower()):
        return {}
    if route.web.proxy == "system":
        return system(url)
    return {"http": route.web.proxy, "https": route.web.proxy}
