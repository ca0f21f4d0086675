"""GUIDs that belong to a text, always the same."""

from __future__ import annotations

from hashlib import blake2b


def guid(text: str) -> str:
    """Return the GUID that belongs to a text."""
    return as_guid(blake2b(text.encode(), digest_size=16).digest())


def as_guid(digest: bytes) -> str:
    """Return sixteen bytes as a GUID of version 4."""
    text = digest.hex()
    variant = "89ab"[digest[8] >> 4 & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
