"""The capture: the file of reader XML output that an engine writes for one step, and its canonical text.

The format is described in docs/formats.md and importprocedures/schemas/capture.xsd. One row is one line::

    <r a="1" b="user1@example.org"/>

Attribute names are column keys (``a`` … ``z``, ``aa`` …) in the order of the header's columns; null is no
attribute. The same bytes come from ps_scripts/Invoke-Reader.ps1 and from CaptureWriter.
"""

from bridge.capture.file import (
    NAMESPACE,
    PART,
    VERSION,
    CaptureWriter,
    Header,
    Trailer,
    capture_paths,
    column_element,
    gap_element,
    head,
    tail,
)
from bridge.capture.rows import RowForm, keys, openings, row_line
from bridge.capture.text import attribute, attributes, escape, has_escape, unescape

__all__ = [
    "NAMESPACE",
    "PART",
    "VERSION",
    "CaptureWriter",
    "Header",
    "RowForm",
    "Trailer",
    "attribute",
    "attributes",
    "capture_paths",
    "column_element",
    "escape",
    "gap_element",
    "has_escape",
    "head",
    "keys",
    "openings",
    "row_line",
    "tail",
    "unescape",
]
