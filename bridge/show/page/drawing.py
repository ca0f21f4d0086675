"""A chart as SVG without a script, a style or a colour of its own: the page's style sheet paints it."""

from __future__ import annotations

from typing import Any

import pygal  # type: ignore[import-untyped]  # it has no types
from rich.cells import cell_len, set_cell_size

from bridge.convert.values import display
from bridge.show.page.parts import Chart

BAR = 18  # pixels that one bar is high
WIDTH = 960
LONGEST = 40  # of a label, in cells of a terminal; the table beside the chart has all of it
CELL = 6  # pixels; pygal takes every character to be that wide
_KINDS = {"bars": pygal.HorizontalBar, "stacked": pygal.HorizontalStackedBar}


def svg(chart: Chart, number: int) -> str:
    """Return a chart as an SVG element; ``number`` tells it from the page's others."""
    labels = [_short(display(label)) for label in reversed(chart.labels)]
    drawn = _KINDS[chart.kind](
        width=WIDTH,
        height=_height(chart),
        margin=4,
        margin_left=4 + CELL * max(cell_len(label) - len(label) for label in labels),
        js=[],
        no_prefix=True,
        explicit_size=False,
        disable_xml_declaration=True,
        show_legend=False,
        max_scale=8,
        print_values=chart.kind == "bars",
        print_values_position="top",
        value_formatter=_whole,
    )
    drawn.x_labels = labels
    for name, values in chart.series.items():
        drawn.add(display(name), list(reversed(values)))
    drawn.add_xml_filter(lambda root: _plain(root, chart, number))
    return str(drawn.render())


def _height(chart: Chart) -> int:
    bars = len(chart.series) if chart.kind == "bars" else 1
    return 60 + len(chart.labels) * (bars * BAR + 8)


def _whole(value: float) -> str:
    """Return a whole number; an axis between small numbers has halves, which are left blank."""
    return f"{value:,.0f}" if float(value).is_integer() else ""


def _short(label: str) -> str:
    return label if cell_len(label) <= LONGEST else set_cell_size(label, LONGEST - 3) + "..."


def _plain(root: Any, chart: Chart, number: int) -> Any:  # noqa: ANN401  # an element of lxml or xml.etree
    """Take away what would run, paint or name anything twice, and say what the picture shows."""
    for parent in list(root.iter()):
        for child in list(parent):
            if _is_idle(child):
                parent.remove(child)
    root.attrib.pop("id")
    root.attrib.update({"class": "chart", "role": "img", "aria-labelledby": f"title-{number} desc-{number}"})
    _say(root, "desc", f"desc-{number}", f"{_told(chart)} The numbers stand in the table that follows.")
    _say(root, "title", f"title-{number}", display(chart.title))
    return root


def _is_idle(node: Any) -> bool:  # noqa: ANN401  # see above
    """Return whether a node is a comment, the script and styles of pygal, or what its script would show."""
    return (
        not isinstance(node.tag, str)
        or node.tag in {"desc", "title", "defs"}
        or node.get("class") == "plot tooltip-overlay"
    )


def _say(root: Any, tag: str, name: str, text: str) -> None:  # noqa: ANN401  # see above
    node = root.makeelement(tag, {"id": name})
    node.text = text
    root.insert(0, node)


def _told(chart: Chart) -> str:
    return f"Bars of {', '.join(map(display, chart.series))} for each of {len(chart.labels)} names."
