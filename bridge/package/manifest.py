"""The manifest of a package as XML: written in one canonical form, read strictly."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Literal, cast

from lxml import etree

from bridge.capture import attributes, column_element, gap_element, keys, unescape
from bridge.errors import PackageError
from bridge.model import Check, Column, Gap, Manifest, Origin, Owner, State, TableLine
from bridge.package.layout import Layout

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
MOST_BYTES = 64 * 1024 * 1024


def to_xml(manifest: Manifest, layout: Layout) -> bytes:
    """Return the canonical bytes, the same on every machine."""
    facts = (
        ("layout", manifest.layout),
        ("connection", manifest.connection),
        ("tenant", manifest.tenant),
        ("source-type", manifest.source_type),
        ("reader", manifest.reader),
        ("owner", manifest.owner.value),
        ("reader-sha256", manifest.reader_sha256),
        ("run", manifest.run),
        ("origin", manifest.origin.value),
        ("engine", manifest.engine),
        ("bits", manifest.bits),
        ("development", "true" if manifest.development else "false"),
        ("outcome", manifest.outcome.value),
    )
    gaps = "".join(f"{gap_element(gap)}\n" for gap in manifest.gaps)
    checks = "".join(_check(check) for check in manifest.checks)
    tables = "".join(_table(line) for line in manifest.tables)
    root = f'<manifest xmlns="{layout.namespace}"{attributes(facts)}>\n'
    return f"{_DECLARATION}{root}{gaps}{checks}{tables}</manifest>\n".encode()


def _check(check: Check) -> str:
    facts = (("name", check.name), ("level", check.level), ("text", check.text))
    return f"<check{attributes(facts)}/>\n"


def _table(line: TableLine) -> str:
    facts = (
        ("entry", line.entry),
        ("step", line.step),
        ("procedure", line.procedure),
        ("table", line.table),
        ("rows", str(line.rows)),
        ("sha256", line.sha256),
    )
    columns = zip(keys(len(line.columns)), line.columns, strict=True)
    return (
        f"<table{attributes(facts)}>\n"
        + "".join(column_element(key, column) for key, column in columns)
        + "</table>\n"
    )


def version_xml(layout: Layout, program: str) -> bytes:
    """Return the version information entry: the layout, and the program that wrote the package."""
    facts = attributes((("layout", layout.name), ("written-by", program)))
    return f'{_DECLARATION}<version xmlns="{layout.namespace}"{facts}/>\n'.encode()


_VERSION = re.compile(r'written-by="(beacon-bridge [0-9A-Za-z.+!_-]{1,64})"/>')


def program_of(content: bytes, layout: Layout) -> str:
    """Return the program that the version information names; PackageError if it is not what we write."""
    found = _VERSION.search(content.decode("ascii", "replace"))
    if not found or version_xml(layout, found.group(1)) != content:
        raise PackageError(f"{layout.version} is not the version information of a {layout.name} package.")
    return found.group(1)


def from_xml(content: bytes, layout: Layout) -> Manifest:
    """Return the manifest, or raise PackageError when it is not valid or not in its canonical form."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(content, parser)
        _schema().assertValid(root)
    except (etree.XMLSyntaxError, etree.DocumentInvalid) as error:
        raise PackageError(f"The manifest is not a {layout.name} manifest: {error}.") from error
    manifest = _manifest(root, layout)
    if to_xml(manifest, layout) != content:
        raise PackageError("The manifest is not in the form that beacon-bridge writes.")
    return manifest


@cache
def _schema() -> etree.XMLSchema:
    path = resources.files("bridge.importprocedures") / "schemas" / "manifest.xsd"
    return etree.XMLSchema(etree.fromstring(path.read_bytes()))


def _manifest(root: etree._Element, layout: Layout) -> Manifest:
    name = {"n": layout.namespace}
    return Manifest(
        layout=_text(root, "layout"),
        connection=_text(root, "connection"),
        tenant=_text(root, "tenant"),
        source_type=_text(root, "source-type"),
        reader=_text(root, "reader"),
        owner=Owner(_text(root, "owner")),
        reader_sha256=_text(root, "reader-sha256"),
        run=_text(root, "run"),
        origin=Origin(_text(root, "origin")),
        engine=_text(root, "engine"),
        bits=_text(root, "bits"),
        development=_text(root, "development") == "true",
        outcome=State(_text(root, "outcome")),
        gaps=tuple(
            Gap(_text(gap, "name"), _text(gap, "text"), int(_text(gap, "count")))
            for gap in root.iterfind("n:gap", name)
        ),
        tables=tuple(_table_line(table) for table in root.iterfind("n:table", name)),
        checks=tuple(_check_line(check) for check in root.iterfind("n:check", name)),
    )


def _check_line(check: etree._Element) -> Check:
    level = _text(check, "level")
    return Check(_text(check, "name"), cast(Literal["ok", "noted", "warned"], level), _text(check, "text"))


def _table_line(table: etree._Element) -> TableLine:
    return TableLine(
        entry=_text(table, "entry"),
        step=_text(table, "step"),
        procedure=_text(table, "procedure"),
        table=_text(table, "table"),
        columns=tuple(_column(column) for column in table),
        rows=int(_text(table, "rows")),
        sha256=_text(table, "sha256"),
    )


def _column(column: etree._Element) -> Column:
    def number(name: str) -> int | None:
        text = column.get(name)
        return None if text is None else int(text)

    return Column(
        name=_text(column, "name"),
        type=_text(column, "type"),
        prop=_text(column, "property"),
        length=number("length"),
        precision=number("precision"),
        scale=number("scale"),
    )


def _text(element: etree._Element, name: str) -> str:
    """Return a required attribute, which the schema has found to be there."""
    return unescape(str(element.attrib[name]))
