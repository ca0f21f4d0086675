"""Words of a command line that stand for a length or a time of day."""

from __future__ import annotations

import re
from datetime import time, timedelta

import click

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=3650)


def span(_: click.Context, option: click.Parameter, text: str | None) -> timedelta | None:
    """Return the length that ``30m``, ``36h`` or ``7d`` is; a usage error says what it should look like."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text.strip().lower(), re.ASCII)
    length = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < length <= _LONGEST:
        raise click.BadParameter(f"{text!r} is no length such as 30m, 36h or 7d.", param=option)
    return length


def time_of_day(_: click.Context, option: click.Parameter, text: str) -> time:
    """Return the time of day that ``02:30`` is; a usage error says what it should look like."""
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text.strip(), re.ASCII)
    if found is None:
        raise click.BadParameter(f"{text!r} is no time of day such as 02:30.", param=option)
    return time(int(found[1]), int(found[2]))
