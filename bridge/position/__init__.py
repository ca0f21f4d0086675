"""Where a tenant stands: what it bought, who holds it, who uses it, and what will not match later."""

from bridge.position.found import Licence, People, Position, Report
from bridge.position.people import KINDS, Count, Kind, Matching, Stranger
from bridge.position.source import Source, of_package, of_run
from bridge.position.standing import position

__all__ = [
    "KINDS",
    "Count",
    "Kind",
    "Licence",
    "Matching",
    "People",
    "Position",
    "Report",
    "Source",
    "Stranger",
    "of_package",
    "of_run",
    "position",
]
