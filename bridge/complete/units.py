"""The units that Microsoft says are consumed, beside the users who hold one."""

from __future__ import annotations

from bridge.complete.facts import Facts, listed, many
from bridge.model import Check


def consumed(facts: Facts) -> Check:
    """Name every SKU of users whose consumed units are not its holders; groups and devices may hold some."""
    skus = [sku for sku in facts.skus if sku.applies_to == "User" and sku.consumed is not None]
    told = [
        f"{sku.name}: {sku.consumed:,} consumed, {many(facts.holders.get(sku.id, 0), 'user')}"
        for sku in skus
        if sku.consumed != facts.holders.get(sku.id, 0)
    ]
    scattered = facts.people.scattered
    more = f"; {many(scattered, 'user')} came in several places and may count twice" if scattered else ""
    if told:
        return Check("units", "noted", listed(told) + more)
    text = f"consumed units of {many(len(skus), 'SKU')} are their assigned users"
    return Check("units", "noted" if more else "ok", text + more)
