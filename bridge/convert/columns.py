"""A column's type applied to cell text: its canonical text, or what was expected instead.

`canonical` decides; `pattern` is a regular expression for the common texts that it returns unchanged, by
which rows.py passes most rows through without looking at each cell. Ranges and forms are those of
learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bridge.model import Column
from bridge.sqltypes import BINARIES, DECIMALS, FLOATS, MOMENTS, MONEYS, TEXTS, WHOLE

Canonical = Callable[[str], str]


class Misfit(ValueError):
    """A text that does not fit its column; the message is what was expected."""


class TooLong(Misfit):
    """A text that fits but for its length."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a column does with a text: ``canonical`` returns its canonical form or raises Misfit."""

    column: Column
    canonical: Canonical
    pattern: str


def rule(column: Column) -> Rule:
    """Return the rule of a column."""
    name = column.type
    if name in TEXTS:
        return Rule(column, _text(column), _text_pattern(column))
    if name in WHOLE:
        return Rule(column, _whole(name), _whole_pattern(name))
    if name in MOMENTS:
        return Rule(column, _moment(name), _moment_pattern(name))
    if name in DECIMALS or name in MONEYS:
        return Rule(column, _decimal(column), _decimal_pattern(column))
    if name in FLOATS:
        return Rule(column, _float(name), _FLOAT_PATTERN)
    if name in BINARIES:
        return Rule(column, _binary(column), _binary_pattern(column))
    return Rule(column, *_OTHERS[name])


def utf16_length(text: str) -> int:
    """Return how many UTF-16 units a text has, which is what nvarchar's length counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, length: int) -> str:
    """Return the text's first ``length`` UTF-16 units, without half of a pair at the end."""
    units = text.encode("utf-16-le", "surrogatepass")

    def kind(number: int) -> int:
        return units[2 * number + 1] >> 2  # 0x36: first half of a pair, 0x37: second half

    splits_a_pair = 2 * length < len(units) and kind(length - 1) == 0x36 and kind(length) == 0x37
    return units[: 2 * (length - splits_a_pair)].decode("utf-16-le", "surrogatepass")


# --- texts ---


def _text(column: Column) -> Canonical:
    length = column.length

    def canonical(text: str) -> str:
        if length is not None and len(text) * 2 > length and (found := utf16_length(text)) > length:
            raise TooLong(f"at most {length} characters, not {found}")
        return text

    return canonical


_UNIT = "[ !#-%'-;=?-\ud7ff\ue000-\ufffd]"  # one character, one UTF-16 unit, no markup
_ANY = "[ !#-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # one or two units
_RARE = f"{_ANY}*+(?>(?:&(?:amp|lt|gt|quot|#x9|#xA|#xD);{_ANY}*+)*)"


def _text_pattern(column: Column) -> str:
    """Return a pattern that takes plain text at once, and text with markup or emoji if it is surely short."""
    if column.length is None:
        return _RARE
    return f'(?:{_UNIT}{{0,{column.length}}}+(?=")|(?=[^"]{{0,{column.length // 2}}}"){_RARE})'


# --- numbers ---

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_DECIMAL = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?", re.ASCII)
_FLOAT_PATTERN = "-?[0-9]{1,15}(?:\\.[0-9]{1,17})?(?:[eE][+-]?[0-9])?"  # surely in range
_FLOAT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_MOST_DIGITS = 40


_FLAGS = {"true": "1", "false": "0"}  # bulk copy takes a Boolean for a number


def _whole(name: str) -> Canonical:
    least, most = WHOLE[name]

    def canonical(text: str) -> str:
        text = _FLAGS.get(text, text)
        if len(text) > _MOST_DIGITS or not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise Misfit(f"{name}, a whole number from {least} to {most}")
        return text

    return canonical


def _whole_pattern(name: str) -> str:
    if name == "tinyint":
        return "(?:0|[1-9][0-9]?)"
    digits = len(str(WHOLE[name][1])) - 2  # one digit fewer than the largest has, so always in range
    return f"-?(?:0|[1-9][0-9]{{0,{digits}}})"


def _digits(column: Column) -> tuple[int, int]:
    """Return how many digits a number has before and after its point at most."""
    if column.type in MONEYS:
        return 15, 4
    precision, scale = column.precision or 18, column.scale or 0
    return precision - scale, scale


def _decimal_pattern(column: Column) -> str:
    before, after = _digits(column)
    if money := MONEYS.get(column.type):
        before = len(str(money // 10_000)) - 1  # one digit fewer than the largest has, so always in range
    whole = f"[0-9]{{1,{before}}}" if before else "0"
    return f"-?{whole}" + (f"(?:\\.[0-9]{{1,{after}}})?" if after else "")


def _decimal(column: Column) -> Canonical:
    money = MONEYS.get(column.type)
    before, after = _digits(column)
    expected = f"{column.type}, at most {before} digits before and {after} after the point"

    def canonical(text: str) -> str:
        form = _DECIMAL.fullmatch(text)
        if not form:
            raise Misfit(expected)
        whole, fraction = form.group(1).lstrip("0"), (form.group(2) or "").rstrip("0")
        if len(fraction) > after or len(whole) > before:
            raise Misfit(expected)
        if money and not -money <= Decimal(text) * 10_000 < money:
            raise Misfit(f"{column.type}, within its range")
        return text

    return canonical


def _float(name: str) -> Canonical:
    most = 3.4028235e38 if name == "real" else 1.7976931348623157e308

    def canonical(text: str) -> str:
        if not _FLOAT.fullmatch(text) or not abs(float(text)) <= most:
            raise Misfit(f"{name}, a number such as 1.5 or 1E-05")
        return text

    return canonical


# --- moments ---

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.([0-9]{1,7}))?"
_MOMENT = re.compile(
    rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})(?:[T ]({_TIME})(Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?)?",
    re.ASCII,
)
_ONLY_TIME = re.compile(_TIME, re.ASCII)
_DAYS = {"datetime": ("1753-01-01", "9999-12-31"), "smalldatetime": ("1900-01-01", "2079-06-06")}
_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)


def _moment(name: str) -> Canonical:
    if name == "time":
        return _time
    least, most = _DAYS.get(name, ("0001-01-01", "9999-12-31"))

    def canonical(text: str) -> str:
        form = _MOMENT.fullmatch(text)
        if not form or not least <= text[:10] <= most or not _is_day(form):
            raise Misfit(f"{name}, such as 2026-11-24T08:15:30Z, from {least} to {most}")
        day, clock, zone = text[:10], form.group(4) or "00:00:00", form.group(7) or ""
        if name == "date":
            return _only_day(day, clock)
        return f"{day}T{_trim(clock)}{zone}"

    return canonical


def _is_day(form: re.Match[str]) -> bool:
    try:
        date(int(form.group(1)), int(form.group(2)), int(form.group(3)))
    except ValueError:
        return False
    return True


def _only_day(day: str, clock: str) -> str:
    if clock.strip("0:."):
        raise Misfit("date, a day without a time")
    return day


def _time(text: str) -> str:
    if not _ONLY_TIME.fullmatch(text):
        raise Misfit("time, such as 08:15:30")
    return _trim(text)


def _trim(clock: str) -> str:
    """Return a time without trailing zeros in its fraction."""
    return clock.rstrip("0").rstrip(".") if "." in clock else clock


_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{0,6}[1-9])?"


def _moment_pattern(name: str) -> str:
    if name == "time":
        return _CLOCK
    day = f"(?:19[0-9]{{2}}|20[0-6][0-9])-{_DAY}"
    return day if name == "date" else rf"{day}T{_CLOCK}(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"


# --- the others ---

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_HEX = re.compile(r"0x((?:[0-9A-Fa-f]{2})*)", re.ASCII)
_BITS = {"true": "true", "false": "false", "1": "true", "0": "false"}  # the words in any case


def _bit(text: str) -> str:
    if (lower := text.lower()) not in _BITS:
        raise Misfit("bit, which is true, false, 1 or 0")
    return _BITS[lower]


def _guid(text: str) -> str:
    lower = text.lower()
    bare = lower[1:-1] if lower[:1] == "{" and lower[-1:] == "}" else lower
    if not text.isascii() or not _GUID.fullmatch(bare):
        raise Misfit("uniqueidentifier, 32 hexadecimal digits with hyphens")
    return bare


def _binary_pattern(column: Column) -> str:
    return "0x(?:[0-9A-Fa-f]{2})" + ("*" if column.length is None else f"{{0,{column.length}}}")


def _binary(column: Column) -> Canonical:
    def canonical(text: str) -> str:
        form = _HEX.fullmatch(text)
        if not form:
            raise Misfit(f"{column.type}, hexadecimal text such as 0x00FF")
        if column.length is not None and len(form.group(1)) // 2 > column.length:
            raise TooLong(f"at most {column.length} bytes, not {len(form.group(1)) // 2}")
        return text

    return canonical


_OTHERS: Mapping[str, tuple[Canonical, str]] = {
    "bit": (_bit, "(?:true|false)"),
    "uniqueidentifier": (_guid, "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}
