"""Rows of a file that Export-Clixml wrote (root element Objs, [MS-PSRP] section 2.2.5)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

from bridge.convert.trees import MOST_DEPTH, MOST_NODES, Node, rows
from bridge.convert.values import WHOLE_VALUE, Kind, Row, Scalar, SecureText, Value, is_integer
from bridge.errors import ReaderOutputError

_INTEGERS = frozenset({"By", "SB", "I16", "I32", "I64", "U16", "U32", "U64"})
_TEXTS = frozenset({"S", "ToString", "G", "URI", "Version"})
_EXACT: Mapping[str, Kind] = {
    "D": "number",
    "Db": "number",
    "Sg": "number",
    "DT": "moment",
    "TS": "span",
    "BA": "bytes",
    "XD": "object",
    "SBK": "object",
}
_LISTS = frozenset({"LST", "IE", "STK", "QUE"})
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_MOST_REMEMBERED = 4096  # objects that a later Ref may name: memory stays flat


def read(path: Path) -> Iterator[Row]:
    """Yield the rows; ReaderOutputError for a top-level Ref, which means lost rows."""
    reader = _Reader(path.name)
    for node in rows(path, "Objs"):
        if node.tag == "Ref":
            raise ReaderOutputError(
                f"{path.name}: rows are lost in this file: a reader emitted the same object again, and "
                "Export-Clixml wrote only a reference to its first state.",
                hint="Save the reader's output with `... | ConvertTo-Xml -As Stream`, "
                "or let beacon-bridge run the reader.",
            )
        yield reader.row(node)


class _Reader:
    """Turns nodes into values, remembering the types and objects that later nodes refer to."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._types: dict[str, tuple[str, ...]] = {}
        self._objects: OrderedDict[str, Value] = OrderedDict()
        self._depth = self._size = 0  # of the row that is read

    def row(self, node: Node) -> Row:
        """Return a row, the one value that it is under ``value``."""
        self._size = 0
        value = self.value(node)
        return value if isinstance(value, dict) else {WHOLE_VALUE: value}

    def value(self, node: Node) -> Value:
        """Return what a node is."""
        tag, text = node.tag, node.text
        if tag == "Obj":
            return self._object(node)
        if tag in _TEXTS:
            return decoded(text)
        if tag == "Nil":
            return None
        if tag in _EXACT:
            return Scalar(_EXACT[tag], decoded(text) if _EXACT[tag] == "object" else text)
        if tag in _INTEGERS and is_integer(text):
            return Scalar("integer", text)
        if tag == "B" and text.lower() in {"true", "false"}:
            return Scalar("bool", text.lower())
        return self._rare(node)

    def _rare(self, node: Node) -> Value:
        if node.tag == "C" and is_integer(node.text) and 0 <= int(node.text) <= 0xFFFF:
            return chr(int(node.text))
        if node.tag == "SS":
            return SecureText()
        if node.tag == "Ref":
            return self._referred(node)
        raise self._wrong(f"the element {node.tag!r} with the text {node.text[:40]!r} is not understood")

    def _referred(self, node: Node) -> Value:
        key = node.attrs.get("RefId", "")
        if key not in self._objects:
            raise self._wrong(f"a Ref names the object {key!r}, which is not there or too far back")
        self._objects.move_to_end(key)
        self._measure(self._objects[key], self._depth)
        return self._objects[key]

    def _measure(self, value: Value, depth: int) -> None:
        """Count what a shared value adds to its row, so that references to references stay bounded."""
        self._size += 1
        if depth > MOST_DEPTH or self._size > MOST_NODES:
            raise self._wrong(
                f"its references make a row of more than {MOST_DEPTH} levels or {MOST_NODES:,} values"
            )
        if isinstance(value, list | dict):
            for one in value.values() if isinstance(value, dict) else value:
                self._measure(one, depth + 1)

    def _object(self, node: Node) -> Value:
        parts = {child.tag: child for child in node.children}
        self._depth += 1
        value = self._content(node, parts, self._type_names(parts))
        self._depth -= 1
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
