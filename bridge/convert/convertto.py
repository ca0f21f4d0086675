"""Rows of a file that ConvertTo-Xml wrote (root element Objects), by Save, -As String or -As Stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bridge.convert.trees import Node, rows
from bridge.convert.values import WHOLE_VALUE, Kind, Row, Scalar, SecureText, Value, is_integer
from bridge.errors import ReaderOutputError

_INTEGERS = frozenset(
    f"System.{name}" for name in ("Byte", "SByte", "Int16", "Int32", "Int64", "UInt16", "UInt32", "UInt64")
)
_EXACT: Mapping[str, Kind] = {
    "System.Decimal": "number",
    "System.Double": "number",
    "System.Single": "number",
    "System.DateTime": "moment",
}


def read(path: Path) -> Iterator[Row]:
    """Yield the rows."""
    for node in rows(path, "Objects"):
        value = _value(node, path.name, typed="Type" in node.attrs)
        yield value if isinstance(value, dict) else {WHOLE_VALUE: value}


def _value(node: Node, name: str, *, typed: bool) -> Value:
    kind = node.attrs.get("Type", "")
    if node.tag == "Object" and not (kind or node.children or node.text):
        return None
    if kind == "System.Security.SecureString":
        return SecureText()
    if node.children:
        return _nested(node, kind, name, typed=typed)
    text = "" if _is_indentation(node) else node.text
    if kind == "System.String" or not (kind or typed):
        return text
    if not node.text:
        return _empty(kind)
    return _scalar(kind, text, name)


def _is_indentation(node: Node) -> bool:
    """Return whether all that an element holds is how Save indents its end tag: it was empty or blank."""
    return node.text == "\n" + "  " * node.depth


def _scalar(kind: str, text: str, name: str) -> Value:
    if kind in _INTEGERS and is_integer(text):
        return Scalar("integer", text)
    if kind in _EXACT:
        return Scalar(_EXACT[kind], text)
    if kind == "System.Boolean" and text.lower() in {"true", "false"}:
        return Scalar("bool", text.lower())
    if kind in _INTEGERS or kind == "System.Boolean":
        raise ReaderOutputError(f"{name}: {text[:40]!r} is no {kind}.")
    cut_off = text == kind or _is_list(kind) or _is_dictionary(kind) or kind.endswith(_CUSTOM)
    return Scalar("object", text) if cut_off else text


def _nested(node: Node, kind: str, name: str, *, typed: bool) -> Value:
    named = [child for child in node.children if "Name" in child.attrs]
    items = [child for child in node.children if "Name" not in child.attrs]
    if _is_dictionary(kind):
        keys, values = named[::2], named[1::2]
        return {key.text: _value(one, name, typed=typed) for key, one in zip(keys, values, strict=False)}
    properties = {child.attrs["Name"]: _value(child, name, typed=typed) for child in named}
    if not items or (properties and kind.endswith(_CUSTOM)):  # a custom object's item is its ToString
        return properties
    if typed and not properties and _is_to_string(kind, items):
        text = "" if _is_indentation(items[0]) else items[0].text
        return _scalar(kind, text, name) if text else _empty(kind)
    listed = [_value(child, name, typed=typed) for child in items]
    return {WHOLE_VALUE: listed, **properties} if properties else listed


def _empty(kind: str) -> Value:
    """Return what an element without content is: null, an empty list, or an object without properties."""
    if _is_dictionary(kind) or kind.endswith(_CUSTOM):
        return {}
    return [] if _is_list(kind) else None


_CUSTOM = "PSCustomObject"


def _is_to_string(kind: str, items: list[Node]) -> bool:
    """Return whether an object below the depth was written as the one text that its ToString gave."""
    texts = [item.attrs.get("Type") == "System.String" and not item.children for item in items]
    return texts == [True] and not _is_list(kind)


def _is_list(kind: str) -> bool:
    return kind.endswith("[]") or "Collection" in kind


def _is_dictionary(kind: str) -> bool:
    return "Hashtable" in kind or "Dictionary" in kind
