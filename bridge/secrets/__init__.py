"""Where secrets rest, how they are fetched, when they expire, and in which guises a log could show them."""
