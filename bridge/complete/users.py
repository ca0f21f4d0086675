"""The users that were read, against what Graph counted before and after."""

from __future__ import annotations

from bridge.complete.facts import USER, Facts, many
from bridge.model import Check


def counted(facts: Facts) -> Check:
    """Compare the rows of User with Graph's counts, widened by the slack; no user at all is never right."""
    rows, counts = facts.rows[USER], facts.counts.get("User", ())
    if not counts:
        text = f"{many(rows, 'user')} read; there is no count to compare with"
        return Check("users", "noted" if facts.by_hand else "warned", text)
    slack, least, most = facts.slack, min(counts), max(counts)
    told = " and ".join(f"{count:,}" for count in counts)
    text = f"{many(rows, 'user')} read; Microsoft Graph counted {told}, give or take {slack:,}"
    if not least - slack <= rows <= most + slack or (least and not rows):
        return Check("users", "refused", text)
    return Check("users", "ok" if {*counts} == {rows} else "noted", text)


def twice(facts: Facts) -> Check:
    """Refuse a user who was read twice: then another may have been missed."""
    people = facts.people
    if not people.twice:
        return Check("users-twice", "ok", "no user was read twice")
    text = f"{many(people.twice, 'user')} read twice, such as {people.example}"
    return Check("users-twice", "refused", text)
