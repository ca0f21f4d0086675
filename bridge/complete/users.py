"""The users that were read, and their sign-ins, against what Graph counted before and after."""

from __future__ import annotations

from dataclasses import replace

from bridge.complete.facts import Facts, many
from bridge.model import Check
from bridge.readers.ours import SIGN_IN, USER


def counted(facts: Facts) -> Check:
    """Compare the rows of User with Graph's counts, widened by the slack; no user at all is never right."""
    rows = facts.rows[USER]
    return _compared("users", f"{many(rows, 'user')} read", rows, facts)


def signed_in(facts: Facts) -> Check:
    """Compare the rows of SignIn, one for each user, with the same counts or, without one, with User.

    How many have a date is the check's number: Graph may answer with none for everybody. Nobody can tell
    whether sign-ins were read where somebody saved no row of them by hand.
    """
    rows, dated, licensed = facts.rows[SIGN_IN], facts.dated, facts.most_licensed
    whose = "1 user's" if rows == 1 else f"{rows:,} users'"
    check = _compared("sign-ins", f"{whose} sign-ins read, {dated:,} with a date", rows, facts)
    check = replace(check, number=dated)
    if repeated := facts.people.signed_in_twice:
        return replace(check, level="refused", text=f"{check.text}; {many(repeated, 'user')} came twice")
    if facts.by_hand and not rows:
        return replace(check, level="noted")
    if not dated and licensed > facts.slack and check.level != "refused":
        return replace(check, level="warned", text=f"{check.text}; {licensed:,} users are licensed")
    return check


def _compared(name: str, read: str, rows: int, facts: Facts) -> Check:
    counts, by = facts.counts.get("User", ()), "Microsoft Graph counted"
    if not counts and name != "users":
        counts, by = (facts.rows[USER],), "users read:"
    if not counts:
        text = f"{read}; there is no count to compare with"
        return Check(name, "noted" if facts.by_hand else "warned", text)
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
