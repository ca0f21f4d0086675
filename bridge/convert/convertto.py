"""Rows of a file that ConvertTo-Xml wrote (root element Objects), by Save, -As String or -As Stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bridge.convert.trees import Node, rows
from bridge.convert.values import WHOLE_VALUE, Row, Scalar, SecureText, Value

_INTEGERS = frozenset(
    f"System.{name}" for name in ("Byte", "SByte", "Int16", "Int32", "Int64", "UInt16", "UInt32", "UInt64")
)
_NUMBERS = frozenset({"System.Decimal", "System.Double", "System.Single"})
_INDENTATION = re.compile(r"\r?\n[ \t]*")


def read(path: Path) -> Iterator[Row]:
    """Yield the rows."""
    for node in rows(path, "Objects"):
        value = _value(node, typed="Type" in node.attrs)
        yield value if isinstance(value, dict) else {WHOLE_VALUE: value}


def _value(node: Node, *, typed: bool) -> Value:
    kind = node.attrs.get("Type", "")
    if node.tag == "Object" and not (kind or node.children or node.text):
        return None
    if kind == "System.Security.SecureString":
        return SecureText()
    if node.children:
        return _nested(node, kind, typed=typed)
    text = node.text
    if kind == "System.String" or (not kind and not typed):
        # Save indents even an empty element: a text that is only that is an empty one
        return "" if _INDENTATION.fullmatch(text) else text
    if not text.strip():
        return _empty(kind)
    if kind in _INTEGERS:
        return Scalar("integer", text)
    if kind in _NUMBERS:
        return Scalar("number", text)
    if kind == "System.Boolean":
        return Scalar("bool", text.lower())
    return Scalar("moment", text) if kind == "System.DateTime" else text


def _nested(node: Node, kind: str, *, typed: bool) -> Value:
    named = [child for child in node.children if "Name" in child.attrs]
    if not named:
        return [_value(child, typed=typed) for child in node.children]
    if "Hashtable" in kind or "Dictionary" in kind:
        names, values = named[::2], named[1::2]
        return {name.text: _value(one, typed=typed) for name, one in zip(names, values, strict=False)}
    return {child.attrs["Name"]: _value(child, typed=typed) for child in named}


def _empty(kind: str) -> Value:
    """Return what an element without content is: null, an empty list, or an object without properties."""
    if kind in {"", "System.Object", "System.DBNull"}:
        return None
    if kind.endswith("[]") or "Collections" in kind:
        return {} if "Hashtable" in kind or "Dictionary" in kind else []
    return {} if kind.endswith("PSCustomObject") else ""
