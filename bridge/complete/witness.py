"""Sees every row of our Microsoft 365 folder while it is packaged, and keeps what the checks compare."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from operator import itemgetter
from pathlib import Path
from types import TracebackType

from bridge.capture import keys
from bridge.complete.facts import Facts, People, Sku
from bridge.complete.usage import REPORT, asked, is_offered, reads_sign_ins, was_read
from bridge.convert.frames import row_cells
from bridge.errors import ReaderOutputError
from bridge.model import Column, Origin, Step
from bridge.readers.ours import ASSIGNMENT, CLOSING, COMMERCE, OPENING, SIGN_IN, SUBSCRIPTION, USAGE, USER
from bridge.runs.record import Run
from bridge.tables import Tables

See = Callable[[bytes], None]  # row lines, whole, as the package holds them
Assigned = tuple[str, str, str]  # user, SKU, and whether it takes a unit: Active or nothing

ID = "([0-9a-f-]{36})"  # as every uniqueidentifier is packaged
TAKES = "(Active)(?:WithError)?"
DATES = ("LastSignInDateTime", "LastNonInteractiveSignInDateTime", "LastSuccessfulSignInDateTime")
USER_ROW, TAKING, SPARE, SIGN_IN_ROW = 0, 1, 2, 3  # kinds of person
NEEDED: Mapping[str, tuple[str, ...]] = {
    OPENING: ("Entity", "Count"),
    CLOSING: ("Entity", "Count"),
    SUBSCRIPTION: ("SkuId", "SkuPartNumber", "AppliesTo", "ConsumedUnits", "SubscriptionIds"),
    COMMERCE: ("SubscriptionId", "CommerceSubscriptionId", "SkuId", "SkuPartNumber"),
    USAGE: ("Report", "UserPrincipalName"),
    USER: ("UserId",),
    ASSIGNMENT: ("UserId", "SkuId", "State"),
    SIGN_IN: ("UserId", *DATES),
}
PEOPLE = """
SELECT SUM(users > 1), MIN(CASE WHEN users > 1 THEN id END), SUM(users = 0 AND places > 0), SUM(places > 0),
       SUM(taking > 0), SUM(places > 1), SUM(sign_ins > 1)
FROM (SELECT id, SUM(kind = 0) AS users, SUM(kind IN (1, 2)) AS places, SUM(kind = 1) AS taking,
             SUM(kind = 3) AS sign_ins
      FROM person WHERE id <> '' GROUP BY id)
"""


class Witness(AbstractContextManager["Witness"]):
    """Keeps people in a temporary file below ``folder``, so that memory stays flat, and the rest at hand."""

    def __init__(self, folder: Path) -> None:
        self._tables = Tables(folder)
        self._tables.do("CREATE TABLE person (id TEXT, kind INT)")
        self._tables.do("CREATE TABLE name (text TEXT)")
        self._small: dict[str, list[dict[str, str]]] = {}
        self._pending: list[Assigned] = []  # of the user whose rows may go on in the next chunk
        self._skus: Counter[tuple[str, str]] = Counter()
        self._reports: set[str] = set()  # those with rows, in lower case
        self._dated = 0

    def see(self, step: Step) -> See | None:
        """Return what takes the step's rows; None where they are not needed, or lack a needed column."""
        needed = NEEDED.get(step.id, ())
        if not needed or {*needed} - {column.name for column in step.columns}:
            return None
        if step.id == USER:
            return self._users(step.columns)
        if step.id == ASSIGNMENT:
            return self._assignments(step.columns)
        if step.id == SIGN_IN:
            return self._sign_ins(step.columns)
        return self._usage(step.columns) if step.id == USAGE else self._few(step)

    # --- steps with many rows ---

    def _users(self, columns: Sequence[Column]) -> See:
        row = _beginning(columns, {"UserId": ID})

        def see(lines: bytes) -> None:
            self._add(row.findall(lines.decode()), USER_ROW)

        return see

    def _sign_ins(self, columns: Sequence[Column]) -> See:
        row = _beginning(columns, {"UserId": ID, **dict.fromkeys(DATES, '([^"]+)')})

        def see(lines: bytes) -> None:
            found = row.findall(lines.decode())
            self._add([user for user, *_ in found], SIGN_IN_ROW)
            self._dated += sum(any(dates) for _, *dates in found)

        return see

    def _assignments(self, columns: Sequence[Column]) -> See:
        row = _beginning(columns, {"UserId": ID, "SkuId": ID, "State": TAKES})

        def see(lines: bytes) -> None:
            found = self._pending + row.findall(lines.decode())
            end = len(found)
            while end and found[end - 1][0] == found[-1][0]:
                end -= 1
            self._pending = found[end:]
            self._count(set(found[:end]))

        return see

    def _count(self, found: set[Assigned]) -> None:
        """Count distinct users of each SKU, and note each user once."""
        spare = {one for one in found if not one[2]}
        found -= {one for one in spare if (*one[:2], "Active") in found}
        self._skus.update(map(itemgetter(1, 2), found))
        taking = {user for user, _, takes in found if takes}
        self._add(taking, TAKING)
        self._add({one[0] for one in spare} - taking, SPARE)

    def _usage(self, columns: Sequence[Column]) -> See:
        row = _beginning(columns, {"Report": REPORT, "UserPrincipalName": '([^"]*)'})
        report = _beginning(columns, {"Report": '([^"]*)'})
        mark = f'"{REPORT}"'.encode()

        def see(lines: bytes) -> None:
            self._reports |= _reports(report, lines)
            if mark in lines:
                names = json.dumps(row.findall(lines.decode()))
                self._tables.do("INSERT INTO name SELECT value FROM json_each(?)", names)

        return see

    def _add(self, ids: Collection[str], kind: int) -> None:
        # One statement for all is several times as fast as one for each.
        self._tables.do("INSERT INTO person SELECT value, ? FROM json_each(?)", kind, json.dumps([*ids]))

    # --- steps with few ---

    def _few(self, step: Step) -> See:
        names, columns = NEEDED[step.id], [column.name for column in step.columns]
        rows = self._small.setdefault(step.id, [])

        def see(lines: bytes) -> None:
            for line in lines.splitlines(keepends=True):
                cells = dict(
                    zip(columns, row_cells(line, keys(len(columns)), ReaderOutputError), strict=True)
                )
                rows.append({name: cells[name] or "" for name in names})

        return see

    # --- what it all comes to ---

    def facts(self, run: Run, rows: Mapping[str, int], gaps: Collection[str]) -> Facts:
        """Return what the rows said; ``rows`` by step id, ``gaps`` by name."""
        self._count(set(self._pending))
        self._pending = []
        commerce = self._small.get(COMMERCE, [])
        names = self._tables.number("SELECT COUNT(DISTINCT text) FROM name WHERE text <> ''")
        return Facts(
            rows=rows,
            gaps=gaps,
            counts=self._counts(),
            skus=tuple(map(_sku, self._small.get(SUBSCRIPTION, []))),
            commerce={row[name].lower() for row in commerce for name in NEEDED[COMMERCE][:2]},
            part_numbers={row["SkuId"]: row["SkuPartNumber"] for row in commerce},
            people=self._people(),
            holders={sku: count for (sku, takes), count in self._skus.items() if takes},
            others={sku: count for (sku, takes), count in self._skus.items() if not takes},
            reported=names if was_read(run, gaps, names) else None,
            empty=[name for name in asked(run) if name.casefold() not in self._reports],
            by_hand=run.origin is Origin.BY_HAND,
            offered=is_offered(run),
            left_out=set() if reads_sign_ins(run, gaps) else {SIGN_IN},
            dated=self._dated,
            share=Fraction(str(run.settings.get("count_slack", 0.005))),
        )

    def _people(self) -> People:
        twice, example, *others = next(self._tables.ask(PEOPLE))
        return People(int(str(twice or 0)), str(example or ""), *(int(str(one or 0)) for one in others))

    def _counts(self) -> dict[str, list[int]]:
        counts: dict[str, list[int]] = {}
        for row in (*self._small.get(OPENING, []), *self._small.get(CLOSING, [])):
            if row["Count"]:
                counts.setdefault(row["Entity"], []).append(int(row["Count"]))
        return counts

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tables.__exit__(kind, error, trace)


def _beginning(columns: Sequence[Column], wanted: Mapping[str, str]) -> re.Pattern[str]:
    """Return the pattern of a row line up to its last wanted cell; ``wanted`` gives the cells' patterns.

    A cell that is null or does not fit its pattern leaves its group, and all that follow, empty.
    """
    names = [column.name for column in columns]
    last = max(map(names.index, wanted)) + 1
    cells = (wanted.get(name, '[^"]*') for name in names[:last])
    parts = (f'(?: {key}="{cell}")?' for key, cell in zip(keys(last), cells, strict=True))
    return re.compile(f"<r{''.join(parts)}")


def _reports(row: re.Pattern[str], lines: bytes) -> set[str]:
    """Return the reports of the lines: they come one after the other, so that the ends tell most chunks."""
    last = lines.rfind(b"\n", 0, -1) + 1
    ends = row.findall((lines[: lines.find(b"\n") + 1] + lines[last:]).decode())
    return {name.casefold() for name in (ends if len({*ends}) < 2 else row.findall(lines.decode()))}


def _sku(row: Mapping[str, str]) -> Sku:
    consumed, subscriptions = row["ConsumedUnits"], row["SubscriptionIds"]
    return Sku(
        row["SkuId"],
        row["SkuPartNumber"],
        row["AppliesTo"],
        int(consumed) if consumed else None,
        tuple(subscriptions.split(";")) if subscriptions else (),
    )
