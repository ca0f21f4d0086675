"""Columns: which texts each SQL type takes, in which form, and what was expected instead."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.convert.columns import Misfit, TooLong, cut, rule, utf16_length
from bridge.model import Column
from bridge.sqltypes import NAMES

SAME = "the text itself"
UTC = "2026-11-24T08:15:30Z"


def column(kind: str) -> Column:
    """Return a column of a type written as nvarchar(5) or decimal(5,2)."""
    name, _, rest = kind.partition("(")
    numbers = [int(one) for one in rest.rstrip(")").split(",") if one]
    if name in {"decimal", "numeric"}:
        return Column("C", name, "C", None, *numbers)
    return Column("C", name, "C", *numbers)


ACCEPTED = [
    *[(kind, text, SAME) for kind in ("tinyint", "smallint", "int", "bigint") for text in ("0", "7", "100")],
    ("tinyint", "255", SAME),
    ("smallint", "-32768", SAME),
    ("smallint", "32767", SAME),
    ("int", "-2147483648", SAME),
    ("int", "2147483647", SAME),
    ("int", "true", "1"),
    ("bigint", "false", "0"),
    ("bigint", "-9223372036854775808", SAME),
    ("bigint", "9223372036854775807", SAME),
    ("bit", "true", SAME),
    ("bit", "false", SAME),
    ("bit", "True", "true"),
    ("bit", "FALSE", "false"),
    ("bit", "1", "true"),
    ("bit", "0", "false"),
    ("nvarchar(5)", "", SAME),
    ("nvarchar(5)", "Zoë!!", SAME),
    ("nvarchar(5)", "a\U0001f600\U0001f600", SAME),
    ("nvarchar(5)", "\ud83da\ude00b ", SAME),
    ("nvarchar", "x" * 100_000, SAME),
    ("nchar(2)", "\r\n", SAME),
    ("varchar(5)", 'a&<>"', SAME),
    ("char(1)", "\0", SAME),
    ("text", "x" * 10_000, SAME),
    ("ntext", "\ufffe", SAME),
    ("xml", "<a/>", SAME),
    ("sql_variant", "1.5", SAME),
    ("datetime", UTC, SAME),
    ("datetime", "2026-11-24T08:15:30", SAME),
    ("datetime", "2026-11-24T08:15:30+02:00", SAME),
    ("datetime", "2026-11-24 08:15:30", "2026-11-24T08:15:30"),
    ("datetime", "2026-11-24", "2026-11-24T00:00:00"),
    ("datetime", "2026-11-24T08:15:30.1200000Z", "2026-11-24T08:15:30.12Z"),
    ("datetime", "2026-11-24T08:15:30.000", "2026-11-24T08:15:30"),
    ("datetime", "2026-11-24T08:15:30.1234567-11:30", SAME),
    ("datetime", "1753-01-01T00:00:00", SAME),
    ("datetime", "9999-12-31T23:59:59Z", SAME),
    ("datetime", "2024-02-29T00:00:00", SAME),
    ("datetime", "2000-02-29T00:00:00", SAME),
    ("datetime", "2026-03-29T02:30:00", SAME),  # an hour that Berlin did not have
    ("datetime2", "0001-01-01T00:00:00", SAME),
    ("smalldatetime", "1900-01-01T00:00:00", SAME),
    ("smalldatetime", "2079-06-06T00:00:00", SAME),
    ("datetimeoffset", "2026-11-24T08:15:30+14:00", SAME),
    ("date", "2026-11-24", SAME),
    ("date", "2026-11-24T00:00:00.000Z", "2026-11-24"),
    ("date", "0001-01-01", SAME),
    ("time", "23:59:59.9999999", SAME),
    ("time", "08:15:30.500", "08:15:30.5"),
    ("uniqueidentifier", "0f8fad5b-d9cb-469f-a165-70867728950e", SAME),
    ("uniqueidentifier", "0F8FAD5B-D9CB-469F-A165-70867728950E", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("uniqueidentifier", "{0f8fad5b-d9cb-469f-a165-70867728950e}", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("decimal(5,2)", "123.45", SAME),
    ("decimal(5,2)", "-000123.4500", SAME),
    ("decimal(2,2)", "0.99", SAME),
    ("decimal(38,0)", "9" * 38, SAME),
    ("numeric(18,0)", "-1", SAME),
    ("money", "922337203685477.5807", SAME),
    ("money", "-922337203685477.5808", SAME),
    ("smallmoney", "214748.3647", SAME),
    ("float", "1.5", SAME),
    ("float", "-1E-05", SAME),
    ("float", "1.7976931348623157E+308", SAME),
    ("real", "3.4028235E+38", SAME),
    ("binary(2)", "0x00FF", SAME),
    ("varbinary", "0x", SAME),
    ("image", "0xabCD", SAME),
    ("timestamp", "0x00000000000007D1", SAME),
    ("rowversion", "0x01", SAME),
    ("hierarchyid", "0x58", SAME),
    ("geometry", "0x00", SAME),
    ("geography", "0x00", SAME),
]

_NO_NUMBERS = [
    "",
    " 7",
    "7 ",
    "+7",
    "1_0",
    "07",
    "--1",
    "1.0",
    "1e3",
    "0x1",
    "\u0663",
    "\uff17",
    "7\n",
    "null",
    "9" * 5000,
]
REFUSED = [
    *[(kind, text) for kind in ("tinyint", "smallint", "int", "bigint") for text in _NO_NUMBERS],
    ("tinyint", "256"),
    ("tinyint", "-1"),
    ("smallint", "32768"),
    ("smallint", "-32769"),
    ("int", "2147483648"),
    ("int", "-2147483649"),
    ("bigint", "9223372036854775808"),
    ("bigint", "-9223372036854775809"),
    *[("bit", text) for text in ("", "2", "yes", " 1", "01", "true ", "\uff11")],
    ("nvarchar(5)", "123456"),
    ("nvarchar(5)", "a\U0001f600\U0001f600\U0001f600"),
    ("nvarchar(5)", "\ud83d" * 6),
    ("varchar(5)", "&amp;&"),
    ("char(1)", "  "),
    *[
        ("datetime", text)
        for text in (
            "",
            "2026-02-29T00:00:00",
            "1900-02-29T00:00:00",
            "2026-04-31T00:00:00",
            "2026-13-01T00:00:00",
            "2026-00-01T00:00:00",
            "2026-11-00T00:00:00",
            "2026-11-24T24:00:00",
            "2026-11-24T08:60:00",
            "2026-11-24T08:15:60",
            "2026-11-24T08:15",
            "2026-11-24T08:15:30.12345678",
            "2026-11-24T08:15:30.",
            "2026-11-24T08:15:30+15:00",
            "2026-11-24T08:15:30z",
            "2026-11-24t08:15:30Z",
            "24.11.2026 08:15:30",
            "11/24/2026 08:15:30",
            "2026-1-2T08:15:30",
            "\u0662026-11-24T08:15:30Z",
            UTC + "\n",
            "1752-12-31T00:00:00",
            "0000-01-01T00:00:00",
        )
    ],
    ("smalldatetime", "1899-12-31T00:00:00"),
    ("smalldatetime", "2079-06-07T00:00:00"),
    ("date", "2026-11-24T00:00:01"),
    ("date", "2026-02-30"),
    ("time", "24:00:00"),
    ("time", UTC),
    ("time", "08:15"),
    ("uniqueidentifier", ""),
    ("uniqueidentifier", "0f8fad5bd9cb469fa16570867728950e"),
    ("uniqueidentifier", "{0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("uniqueidentifier", "0f8fad5b-d9cb-469f-a165-70867728950g"),
    ("uniqueidentifier", "0f8fad5b-d9cb-469f-a165-7086772895\uff10e"),
    ("decimal(5,2)", "1234.5"),
    ("decimal(5,2)", "1.234"),
    ("decimal(2,2)", "1"),
    ("decimal(38,0)", "1" + "0" * 38),
    *[("decimal(5,2)", text) for text in ("", ".5", "5.", "1,5", "1e2", "+1", "NaN", "- 1", "\u0661")],
    ("money", "922337203685477.5808"),
    ("money", "-922337203685477.5809"),
    ("money", "1.23456"),
    ("smallmoney", "214748.3648"),
    *[
        ("float", text)
        for text in ("", "NaN", "Infinity", "1.8E+308", "1E999", "0x1p3", "1_0.0", ".5", "1.", " 1")
    ],
    ("real", "3.5E+38"),
    ("binary(2)", "0x0102FF"),
    *[("varbinary", text) for text in ("", "00FF", "0x0", "0xGG", "AAE=")],
]


def _id(value: object) -> str:
    return ascii(value)[1:-1][:40]


@pytest.mark.parametrize(("kind", "text", "form"), ACCEPTED, ids=_id)
def test_a_text_that_fits_is_taken_in_its_canonical_form(kind: str, text: str, form: str) -> None:
    """The canonical form says the same, and is itself taken as it is."""
    canonical = rule(column(kind)).canonical
    assert canonical(text) == (text if form is SAME else form)
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize(("kind", "text"), REFUSED, ids=_id)
def test_a_text_that_does_not_fit_is_refused_with_what_was_expected(kind: str, text: str) -> None:
    """The message says what the column wants, beginning with its type or its length."""
    with pytest.raises(Misfit) as caught:
        rule(column(kind)).canonical(text)
    assert re.match(rf"{column(kind).type}\b|at most \d+ (?:characters|bytes), not \d+$", str(caught.value))


def test_every_type_that_a_reader_folder_may_name_is_tested() -> None:
    """No SQL type of sqltypes.py lacks a text that fits it."""
    assert {column(kind).type for kind, _, _ in ACCEPTED} == NAMES


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in ACCEPTED}))
def test_the_pattern_takes_no_text_that_the_rule_refuses_or_changes(kind: str) -> None:
    """What the pattern of a column lets through is canonical, for every text that any type is tested with."""
    one = rule(column(kind))
    pattern = re.compile(f'{one.pattern}(?=")', re.ASCII)
    texts = [text for _, text, _ in ACCEPTED] + [text for _, text in REFUSED]
    passed = [text for text in texts if (found := pattern.match(f'{text}"')) and found.end() == len(text)]
    assert passed
    for text in passed:
        if not set(text) & set('&"'):  # escaped forms, which the pattern sees, are not the cell's text
            assert one.canonical(text) == text


def test_a_length_is_told_in_characters_as_sql_server_counts_them() -> None:
    """An emoji is two of nvarchar's characters; the message says how many there are."""
    with pytest.raises(TooLong, match="at most 5 characters, not 6"):
        rule(column("nvarchar(5)")).canonical("\U0001f600" * 3)


# --- cutting ---


@pytest.mark.parametrize(
    ("text", "length", "kept"),
    [
        ("abcdef", 3, "abc"),
        ("abc", 3, "abc"),
        ("abc", 5, "abc"),
        ("ab\U0001f600", 3, "ab"),
        ("ab\U0001f600", 4, "ab\U0001f600"),
        ("\U0001f600", 1, ""),
        ("ab\ud83dc", 3, "ab\ud83d"),
        ("ab\ude00c", 3, "ab\ude00"),
        ("\U0001f600\ude00x", 2, "\U0001f600"),
    ],
)
def test_cutting_never_splits_a_pair(text: str, length: int, kept: str) -> None:
    """A cut keeps whole characters; a half that stood alone before is kept as it was."""
    assert cut(text, length) == kept


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None), max_size=12), st.integers(1, 14))
def test_a_cut_text_is_the_longest_beginning_that_fits(text: str, length: int) -> None:
    """What is kept begins the text, fits, and is at most one unit shorter than it could be."""
    kept = cut(text, length)
    units = text.encode("utf-16-le", "surrogatepass")
    assert units.startswith(kept.encode("utf-16-le", "surrogatepass"))
    assert min(length, len(units) // 2) - 1 <= utf16_length(kept) <= length
