"""A tenant's position as people and scripts get it."""

from bridge.show.position.facts import HALF, MOST_LISTED, Everyone, facts
from bridge.show.position.html import all_html, html
from bridge.show.position.scripts import all_json, as_json, write_all_csv, write_csv
from bridge.show.position.terminal import all_lines, lines

__all__ = [
    "HALF",
    "MOST_LISTED",
    "Everyone",
    "all_html",
    "all_json",
    "all_lines",
    "as_json",
    "facts",
    "html",
    "lines",
    "write_all_csv",
    "write_csv",
]
