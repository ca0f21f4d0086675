"""One HTML page of facts, charts and tables that needs nothing but itself, for a screen and for paper."""

from bridge.show.page.page import page
from bridge.show.page.parts import Chart, Grid, Note, Part

__all__ = ["Chart", "Grid", "Note", "Part", "page"]
