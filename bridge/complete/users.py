"""The users that were read, and their sign-ins, against what Graph counted before and after."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from bridge.complete.facts import Facts, many
from bridge.model import Check
from bridge.readers.ours import SIGN_IN, USER


def counted(facts: Facts) -> Check:
    """Compare the rows of User with Graph's counts, widened by the slack; no user at all is never right."""
    rows, counts = facts.rows[USER], facts.counts.get("User", ())
    read = f"{many(rows, 'user')} read"
    if not counts:
        text = f"{read}; there is no count to compare with"
        return Check("users", "noted" if facts.by_hand else "warned", text)
    return _compared("users", read, rows, facts, "Microsoft Graph counted", counts)


def signed_in(facts: Facts) -> Check:
    """Compare the rows of SignIn, one for each user, with the same counts or, without one, with User.

    How many have a date is the check's number: Graph may answer with none for everybody. Nobody can tell
    whether sign-ins were read where somebody saved no row of them by hand.
    """
    rows, dated, licensed = facts.rows[SIGN_IN], facts.dated, facts.most_licensed
    whose = "1 user's" if rows == 1 else f"{rows:,} users'"
    read = f"{whose} sign-ins read, {dated:,} with a date"
    if counts := facts.counts.get("User", ()):
        check = _compared("sign-ins", read, rows, facts, "Microsoft Graph counted", counts)
    else:
        check = _compared("sign-ins", read, rows, facts, "users read:", (facts.rows[USER],))
    check = replace(check, number=dated)
    if repeated := facts.people.signed_in_twice:
        return replace(check, level="refused", text=f"{check.text}; {many(repeated, 'user')} came twice")
    if facts.by_hand and not rows:
        return replace(check, level="noted")
    if not dated and licensed > facts.slack and check.level != "refused":
        return replace(check, level="warned", text=f"{check.text}; {licensed:,} users are licensed")
    return check


def _compared(name: str, read: str, rows: int, facts: Facts, by: str, counts: Collection[int]) -> Check:
    slack, least, most = facts.slack, min(counts), max(counts)
    told = " and ".join(f"{count:,}" for count in counts)
    text = f"{read}; {by} {told}, give or take {slack:,}"
    if not least - slack <= rows <= most + slack or (least and not rows):
        return Check(name, "refused", text)
    return Check(name, "ok" if {*counts} == {rows} else "noted", text)


def twice(facts: Facts) -> Check:
    """Refuse a user who was read twice: then another may have been missed."""
    people = facts.people
    if not people.twice:
        return Check("users-twice", "ok", "no user was read twice")
    text = f"{many(people.twice, 'user')} read twice, such as {people.example}"
    return Check("users-twice", "refused", text)
