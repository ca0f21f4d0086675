"""Rows of a file that Export-Clixml wrote (root element Objs, [MS-PSRP] section 2.2.5)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from bridge.convert.trees import Node, rows
from bridge.convert.values import WHOLE_VALUE, Row, Scalar, SecureText, Value
from bridge.errors import ReaderOutputError

_INTEGERS = frozenset({"By", "SB", "I16", "I32", "I64", "U16", "U32", "U64"})
_NUMBERS = frozenset({"D", "Db", "Sg"})
_TEXTS = frozenset({"S", "ToString", "G", "URI", "Version", "XD", "SBK", "BA", "TS"})
_LISTS = frozenset({"LST", "IE", "STK", "QUE"})
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_MOST_REMEMBERED = 4096  # objects that a later Ref may name: memory stays flat


def read(path: Path) -> Iterator[Row]:
    """Yield the rows; ReaderOutputError for a top-level Ref, which means lost rows."""
    reader = _Reader(path.name)
    for node in rows(path, "Objs"):
        if node.tag == "Ref":
            raise ReaderOutputError(
                f"{path.name}: rows are lost in this file: a reader emitted one object again after changing "
                "it, and Export-Clixml kept only a reference to its first state.",
                hint="Save the reader's output with: ... | ConvertTo-Xml -As Stream, or run it with bridge.",
            )
        value = reader.value(node)
        yield value if isinstance(value, dict) else {WHOLE_VALUE: value}


class _Reader:
    """Turns nodes into values, remembering the types and objects that later nodes refer to."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._types: dict[str, tuple[str, ...]] = {}
        self._objects: OrderedDict[str, Value] = OrderedDict()

    def value(self, node: Node) -> Value:
        """Return what a node is."""
        tag, text = node.tag, node.text
        if tag == "Obj":
            return self._object(node)
        if tag in _TEXTS:
            return decoded(text)
        if tag == "Nil":
            return None
        if tag in _INTEGERS:
            return Scalar("integer", text)
        if tag == "B":
            return Scalar("bool", text.lower())
        if tag in _NUMBERS:
            return Scalar("number", text)
        if tag == "DT":
            return Scalar("moment", text)
        return self._rare(node)

    def _rare(self, node: Node) -> Value:
        if node.tag == "C":
            return chr(int(node.text))
        if node.tag == "SS":
            return SecureText()
        if node.tag == "Ref":
            return self._referred(node)
        raise self._wrong(f"unknown element {node.tag!r}")

    def _referred(self, node: Node) -> Value:
        key = node.attrs.get("RefId", "")
        if key not in self._objects:
            raise self._wrong(f"a Ref names the object {key!r}, which is not there or too far back")
        return self._objects[key]

    def _object(self, node: Node) -> Value:
        parts = {child.tag: child for child in node.children}
        value = self._content(node, parts, self._type_names(parts))
        if key := node.attrs.get("RefId"):
            self._objects[key] = value
            if len(self._objects) > _MOST_REMEMBERED:
                self._objects.popitem(last=False)
        return value

    def _content(self, node: Node, parts: dict[str, Node], types: tuple[str, ...]) -> Value:
        if "System.DBNull" in types:
            return None
        if "System.Enum" in types and "ToString" in parts:
            return decoded(parts["ToString"].text)
        properties = {
            decoded(child.attrs.get("N", "")): self.value(child)
            for group in ("Props", "MS")
            if group in parts
            for child in parts[group].children
        }
        for wrapped in self._wrapped(node):
            return {WHOLE_VALUE: wrapped, **properties} if properties else wrapped
        if properties or "Props" in parts or "MS" in parts:
            return properties
        return decoded(parts["ToString"].text) if "ToString" in parts else {}

    def _wrapped(self, node: Node) -> Iterator[Value]:
        """Yield what an Obj wraps: a list, a dictionary or a primitive."""
        for child in node.children:
            if child.tag in _LISTS:
                yield [self.value(one) for one in child.children]
            elif child.tag == "DCT":
                yield self._dictionary(child)
            elif child.tag not in {"TN", "TNRef", "ToString", "Props", "MS"}:
                yield self.value(child)

    def _dictionary(self, node: Node) -> Value:
        found: dict[str, Value] = {}
        for entry in node.children:
            pair = {child.attrs.get("N"): child for child in entry.children}
            if "Key" not in pair or "Value" not in pair:
                raise self._wrong("a dictionary's entry lacks its Key or Value")
            key = self.value(pair["Key"])
            found[key if isinstance(key, str) else getattr(key, "text", str(key))] = self.value(pair["Value"])
        return found

    def _type_names(self, parts: dict[str, Node]) -> tuple[str, ...]:
        if "TN" in parts:
            names = tuple(child.text for child in parts["TN"].children)
            self._types[parts["TN"].attrs.get("RefId", "")] = names
            return names
        return self._types.get(parts["TNRef"].attrs.get("RefId", ""), ()) if "TNRef" in parts else ()

    def _wrong(self, text: str) -> ReaderOutputError:
        return ReaderOutputError(f"{self._name}: {text}.")


def decoded(text: str) -> str:
    """Return a text with its ``_xHHHH_`` decoded and the halves of surrogate pairs joined."""
    if "_x" not in text:
        return text
    units = _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
