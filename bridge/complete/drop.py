"""The rows of each step, against the connection's last delivered run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction

from bridge.complete.facts import COMMERCE, USAGE
from bridge.model import Check, Owner
from bridge.runs.record import Run

WARNED = Fraction(1, 5)
# Of our own folder: the gap that tells why a step has no rows.
GAP_OF = {
    "Organization.xml/Organization": "organization",
    COMMERCE: "commerce-subscriptions",
    USAGE: "usage",
    "SignIn.xml/SignIn": "sign-ins",
}


def drops(run: Run, rows: Mapping[str, int], gaps: Collection[str], before: Run | None) -> Iterator[Check]:
    """Yield a check for each step that lost many of its rows, or one that says that none did."""
    if before is None:
        yield Check("drop", "ok", "no earlier package was delivered: there is nothing to compare with")
        return
    found = [check for line in before.steps if (check := _step(run, rows, gaps, before, line.step.id))]
    yield from found or [
        Check("drop", "ok", f"no step lost more than {_percent(WARNED)} of its rows since {before.run}")
    ]


def _step(run: Run, rows: Mapping[str, int], gaps: Collection[str], before: Run, step: str) -> Check | None:
    had = next(line.rows for line in before.steps if line.step.id == step) or 0
    if not had or step not in rows or step in before.not_applicable:
        return None
    most, lost = max_drop(run), Fraction(had - rows[step], had)
    if lost <= min(WARNED, most):
        return None
    text = (
        f"{step}: {rows[step]:,} rows, {had:,} in {before.run}: {_percent(lost)} fewer, "
        f"max_drop is {_percent(most)}"
    )
    gap = GAP_OF.get(step) if run.reader.owner is Owner.BRIDGE else None
    if gap in gaps:
        return Check("drop", "warned", f"{text}; the gap {gap} tells why")
    if lost <= most:
        return Check("drop", "warned", text)
    if run.accepted_drop:
        return Check("drop", "warned", f"{text}; accepted, because: {run.accepted_drop}")
    return Check("drop", "refused", text)


def max_drop(run: Run) -> Fraction:
    """Return the share of its rows that a step of the run may lose."""
    return Fraction(str(run.settings.get("max_drop", 0.5)))


def _percent(share: Fraction) -> str:
    return f"{float(share):.1%}".replace(".0%", "%").replace("%", " %")
