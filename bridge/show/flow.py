"""JSON that is written while it is made: a list may be longer than memory holds."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.show.screen import as_json


def flow(value: object, indent: str = "") -> Iterator[str]:
    """Yield one JSON value piece by piece, ASCII only; an iterator becomes an array as it is asked.

    What holds an iterator opens up line by line, and so does a value that holds none at all; what lies inside
    stands on one line.
    """
    if isinstance(value, Iterator):
        yield from _between("[]", (("", one) for one in value), indent)
    elif isinstance(value, dict) and any(isinstance(one, Iterator) for one in value.values()):
        items = ((f"{as_json(name, indent=None)}: ", one) for name, one in value.items())
        yield from _between("{}", items, indent)
    else:
        yield as_json(value, indent=None if indent else 2)


def _between(signs: str, items: Iterator[tuple[str, object]], indent: str) -> Iterator[str]:
    yield signs[0]
    inner, count = f"{indent}  ", 0
    for count, (name, one) in enumerate(items, start=1):
        yield f"{',' if count > 1 else ''}\n{inner}{name}"
        yield from flow(one, inner)
    yield f"\n{indent}{signs[1]}" if count else signs[1]
