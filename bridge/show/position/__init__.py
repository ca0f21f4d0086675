"""A tenant's position as people and scripts get it."""

from bridge.show.position.pages import all_html, html
from bridge.show.position.scripts import all_json, as_json, write_all_csv, write_csv
from bridge.show.position.terminal import all_lines, lines
from bridge.show.position.words import Everyone

__all__ = [
    "Everyone",
    "all_html",
    "all_json",
    "all_lines",
    "as_json",
    "html",
    "lines",
    "write_all_csv",
    "write_csv",
]
