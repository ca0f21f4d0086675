"""The guises in which a text can turn up in a log, and a text without them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import quote
from xml.sax.saxutils import escape

_LEAST = 9  # characters of a derived guise; a shorter one would be found in innocent text
_RESERVED = ";/?:@&=+$,#[]!'()*"  # what .NET's EscapeUriString leaves as it is
MARK = "***"
# Windows: the ANSI and console code pages of Western, Central and Eastern Europe
_CODE_PAGES = ("cp1252", "cp850", "cp437", "cp1250", "cp852", "cp1251", "cp866", "latin-1")


def guises(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return what must not be shown, longest first: each secret, and what is made of it on its way.

    That is: URL-encoded; base64 at each of its three alignments, of UTF-8 and of UTF-16; UTF-16 in hex, as
    CLIXML holds a secure string outside Windows; as JSON and XML write it, in PowerShell 5.1's ways too;
    with the quotes doubled, as a PowerShell text holds them; and the long lines of a text that has several.
    """
    found: set[str] = set()
    for secret in filter(None, secrets):
        derived = {one for part in (secret, *secret.splitlines()) for one in _derived(part)}
        found |= {secret} | {one for one in derived if len(one) >= _LEAST}
    return tuple(sorted(found, key=lambda one: (-len(one), one)))


def _derived(text: str) -> Iterator[str]:
    utf8, utf16 = text.encode(errors="surrogatepass"), text.encode("utf-16-le", "surrogatepass")
    yield text
    yield from _url(utf8)
    yield from (*_base64(utf8), *_base64(utf16))
    yield from (utf16.hex(), utf16.hex().upper())
    yield from _json(text)
    for quotes in ({}, {'"': "&quot;"}, {'"': "&quot;", "'": "&apos;"}, {'"': "&quot;", "'": "&#39;"}):
        yield escape(text, quotes)
    yield from (text.replace("'", "''"), text.replace('"', '""'))


def _json(text: str) -> Iterator[str]:
    """Yield a text as it stands in JSON, and as ConvertTo-Json of Windows PowerShell 5.1 writes it."""
    for ascii_only in (True, False):
        digits = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield digits
        yield digits.translate({ord(one): f"\\u{ord(one):04x}" for one in "'&<>"})


def _url(content: bytes) -> Iterator[str]:
    for safe in ("", "/", _RESERVED):
        encoded = quote(content, safe=safe)
        for one in (encoded, encoded.replace("%20", "+")):
            yield one
            yield "".join(_small(piece, place) for place, piece in enumerate(one.split("%")))


def _small(piece: str, place: int) -> str:
    """Return a piece behind a percent sign with the two digits of its hex in small letters."""
    return f"%{piece[:2].lower()}{piece[2:]}" if place else piece


def _base64(content: bytes) -> Iterator[str]:
    """Yield what base64 shows of the content wherever it begins: the digits that are its alone."""
    for before in range(3):
        digits = base64.b64encode(bytes(before) + content).decode().rstrip("=")
        whole = (before + len(content)) * 8 // 6
        inner = digits[-(-before * 8 // 6) : whole]
        yield inner
        yield inner.translate({43: "-", 47: "_"})


def in_code_pages(shown: Iterable[str]) -> tuple[bytes, ...]:
    """Return the guises as the bytes of a program's output that is no UTF-8: code pages, and UTF-16."""
    found: set[bytes] = set()
    for guise in shown:
        if len(guise) >= _LEAST:
            found.add(guise.encode("utf-16-le", "surrogatepass"))
        for page in () if guise.isascii() else _CODE_PAGES:
            with suppress(UnicodeEncodeError):
                found.add(guise.encode(page))
    return tuple(sorted(found, key=lambda one: (-len(one), one)))


def hide(text: str, shown: Iterable[str]) -> str:
    """Return the text without the guises, longest first, nor the beginning of one where the text was cut."""
    for guise in shown:
        text = text.replace(guise, MARK)
    return _without_beginning(text, shown)


def _without_beginning(text: str, shown: Iterable[str]) -> str:
    for guise in shown:
        place = text.find(guise[:_LEAST]) if len(guise) > _LEAST else -1
        while place >= 0:
            if guise.startswith(text[place:]):
                return text[:place] + MARK
            place = text.find(guise[:_LEAST], place + 1)
    return text
