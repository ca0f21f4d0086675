"""The subscriptions that a SKU names, against those of the directory."""

from __future__ import annotations

from bridge.complete.facts import Facts, listed
from bridge.model import Check


def known(facts: Facts) -> Check:
    """Name every subscription of a SKU that is not among the commerce subscriptions."""
    if "commerce-subscriptions" in facts.gaps:
        return Check("subscriptions", "ok", "commerce subscriptions were not read")
    missing = [
        f"{one} of {sku.name}"
        for sku in facts.skus
        for one in sku.subscriptions
        if one.lower() not in facts.commerce
    ]
    if missing:
        return Check("subscriptions", "noted", f"no commerce subscription: {listed(missing)}")
    return Check("subscriptions", "ok", "every subscription of a SKU is a commerce subscription")
