"""The assignments, against the users and the SKUs they name."""

from __future__ import annotations

from bridge.complete.facts import Facts, listed, many
from bridge.model import Check


def strangers(facts: Facts) -> Check:
    """Compare assigned users with the users read; some come and go meanwhile, and never all of them."""
    found, slack = facts.people.strangers, facts.slack
    if not found:
        return Check("assignments", "ok", "every assignment's user was read")
    if found == facts.people.assigned:
        return Check("assignments", "refused", f"none of {many(found, 'assigned user')} was read")
    text = f"{many(found, 'assigned user')} not among the users read; {slack:,} may come and go"
    return Check("assignments", "refused" if found > slack else "noted", text)


def subscribed(facts: Facts) -> Check:
    """Name the SKUs that are assigned and no longer subscribed."""
    gone = sorted((facts.holders.keys() | facts.others.keys()) - {sku.id for sku in facts.skus})
    if not gone:
        return Check("skus", "ok", "every assigned SKU is subscribed")
    told = [f"{_name(facts, sku)}: {many(_users(facts, sku), 'user')}" for sku in gone]
    return Check("skus", "noted", f"assigned and no longer subscribed: {listed(told)}")


def _users(facts: Facts, sku: str) -> int:
    return facts.holders.get(sku, 0) + facts.others.get(sku, 0)


def _name(facts: Facts, sku: str) -> str:
    part = facts.part_numbers.get(sku)
    return f"{part} ({sku})" if part else sku
