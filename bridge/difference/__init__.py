"""What differs between two runs: their rows, the numbers of each SKU, and what changed around them."""

from bridge.difference.chosen import before_of, pair_since
from bridge.difference.comparison import Difference, compared
from bridge.difference.found import Fact, Kind, Named, Person, RowChange, SkuChange, StepChange, Units

__all__ = [
    "Difference",
    "Fact",
    "Kind",
    "Named",
    "Person",
    "RowChange",
    "SkuChange",
    "StepChange",
    "Units",
    "before_of",
    "compared",
    "pair_since",
]
