"""A connection added to bridge.toml: the rest of the file stays as it is, and a wrong one changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from bridge import system
from bridge.errors import SettingsError
from bridge.settings.load import Settings

Check = Callable[[Path], Settings]  # reads a candidate; SettingsError says what is wrong with it


def add(
    file: Path, name: str, table: Mapping[str, object], saas_management: str | None, check: Check
) -> None:
    """Append ``[connections."NAME"]`` to the file, and keep what is said of SaaS Management.

    The new file takes the old one's place only after ``check`` has read it without an error. Raises
    SettingsError: a name that is taken, a value that is wrong, a file that cannot be read or written.
    """
    old = _read(file)
    text, encoding = _decoded(file, old)
    new = _encoded(_with_saas_management(file, text, saas_management) + _table(name, table, text), encoding)
    candidate = file.with_name(f"{file.name}.new")
    try:
        system.make_private_folder(file.parent)
        system.write_whole(candidate, new)
        if file.exists():
            shutil.copymode(file, candidate)
        _checked(file, candidate, check)
        if _read(file) != old:
            raise SettingsError(f"{file} was changed meanwhile; nothing was added.", hint="Try again.")
        system.replace(candidate, file)
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            candidate.unlink(missing_ok=True)


@contextmanager
def begun(file: Path) -> Iterator[None]:
    """Have a settings file there that is still to be made; it goes again unless something was added."""
    try:
        file.touch(0o600, exist_ok=False)
    except OSError:  # it is there, or cannot be: whoever reads it says so
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            if not file.stat().st_size:
                file.unlink()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror or error}.") from error


def _decoded(file: Path, content: bytes) -> tuple[str, str]:
    """Return the text and the encoding that gives the same bytes again."""
    encodings = {b"\xff\xfe": "utf-16", b"\xef\xbb": "utf-8-sig"}
    encoding = encodings.get(content[:2], "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is no {encoding.upper()} text (byte {error.start}).") from None
    if text.encode(encoding) != content:
        raise SettingsError(f"{file} is no text that can be kept as it is.", hint="Save it as UTF-8.")
    return text, encoding


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        half = ascii(text[error.start : error.end])
        raise SettingsError(f"The connection holds half a character, {half}.", hint="Correct it.") from None


def _with_saas_management(file: Path, text: str, said: str | None) -> str:
    if said is None:
        return text
    try:
        document = tomlkit.parse(text)
        beacon = document.setdefault("beacon", tomlkit.table())
        if beacon.get("saas_management", "unknown") == said:
            return text
        beacon["saas_management"] = said
        return tomlkit.dumps(document)
    except (TOMLKitError, AttributeError, TypeError) as error:
        raise SettingsError(f"{file}: {error}.") from None


def _table(name: str, table: Mapping[str, object], text: str) -> str:
    """Return the connection's table as the end of the file, with the file's own ends of lines."""
    try:
        added = _toml(name, table)
    except TOMLKitError as error:
        raise SettingsError(f"The connection {name} holds what TOML does not: {error}.") from None
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return (gap + added).replace("\n", "\r\n" if "\r\n" in text else "\n")


def _toml(name: str, table: Mapping[str, object]) -> str:
    inner = tomlkit.table()
    for key, value in table.items():
        if key != "signin":
            inner.add(key, _inline(value))
    outer = tomlkit.table(is_super_table=True)
    outer.add(tomlkit.key(name) if name.isidentifier() and name.isascii() else _quoted(name), inner)
    if isinstance(sign_in := table.get("signin"), Mapping):
        inner.add("signin", tomlkit.item(dict(sign_in)))
    document = tomlkit.document()
    document.add("connections", outer)
    return tomlkit.dumps(document)


def _quoted(name: str) -> tomlkit.items.SingleKey:
    return tomlkit.items.SingleKey(name, t=tomlkit.items.KeyType.Basic)


def _inline(value: object) -> tomlkit.items.Item:
    """Return a value on one line: tables within a connection are written between braces."""
    if not isinstance(value, Mapping):
        return tomlkit.item(value)
    inline = tomlkit.inline_table()
    for key, one in value.items():
        inline.add(key, _inline(one))
    return inline


def _checked(file: Path, candidate: Path, check: Check) -> None:
    try:
        check(candidate)
    except SettingsError as error:
        sentence = str(error).replace(str(candidate), str(file))
        raise SettingsError(f"{sentence}\nNothing was added.", hint=error.hint) from None
