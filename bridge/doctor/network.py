"""How the running account reaches the network."""

from __future__ import annotations

from urllib.parse import urlsplit

from bridge.doctor.windows import Facts
from bridge.model import Finding, Web


def proxy(web: Web, facts: Facts) -> Finding:
    """Return which proxy counts for the account that checks, without anybody's password."""
    if web.proxy == "none":
        return Finding("proxy", "ok", "none, as [http] says")
    if web.proxy != "system":
        return Finding("proxy", "ok", f"{_bare(web.proxy)}, as [http] says")
    address = facts.proxies().get("https")
    text = _bare(address) if address else "none"
    return Finding("proxy", "ok", f"{text}, as {facts.account} sees the system")


def _bare(address: str) -> str:
    """Return a proxy's address without user and password."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    return parts.netloc.rpartition("@")[2] or "an address that is none"
