"""The page itself: its template, filled, with a policy that lets it load nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from bridge.convert.values import display
from bridge.show.page import drawing
from bridge.show.page.parts import Cell, Chart, Part


def page(title: str, facts: Sequence[tuple[str, str]], parts: Sequence[Part]) -> str:
    """Return an HTML page: a heading, a list of facts, then the parts in their order.

    Every text may come from strangers: it is escaped, and control and direction characters are made visible.
    A chart without labels is left out.
    """
    style = _source("page.css")
    return _template().render(
        title=title,
        facts=facts,
        parts=[
            (type(part).__name__, part) for part in parts if not (isinstance(part, Chart) and not part.labels)
        ],
        style=Markup(style),  # noqa: S704  # our own file
        digest=b64encode(sha256(style.encode()).digest()).decode(),
    )


def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"cell": _cell, "plain": display}
    environment.globals["svg"] = lambda chart, number: Markup(drawing.svg(chart, number))  # noqa: S704  # made of escaped texts
    return environment.from_string(_source("page.html"))


def _source(name: str) -> str:
    return (files("bridge.show.page") / name).read_text("utf-8")


def _cell(value: Cell) -> Markup:
    """Return a value as an element of its own, so that its writing direction stays within it."""
    if value is None:
        return Markup('<span title="not known">-</span>')
    text = f"{value:,}" if isinstance(value, int) else display(value)
    return Markup("<bdi>{}</bdi>").format(text)
