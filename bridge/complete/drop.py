"""The rows of each step, against the connection's last delivered run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction

from bridge.complete.usage import parameters
from bridge.model import Check, Owner
from bridge.readers.ours import CLOSING, COMMERCE, OPENING, ORGANIZATION, SIGN_IN, USAGE
from bridge.runs.record import Run, StepLine

WARNED = Fraction(1, 5)
# Of our own folder: the steps that count what others read,
COUNTS = {OPENING, CLOSING}
# the gap that tells why a step has no rows,
GAP_OF = {
    ORGANIZATION: "organization",
    COMMERCE: "commerce-subscriptions",
    USAGE: "usage",
    SIGN_IN: "sign-ins",
}
# and what says how much a step reads: parameters, with what an empty one means.
CHOICES: Mapping[str, Mapping[str, str]] = {
    USAGE: {"Reports": "", "Period": "D30", "ReportHosts": ""},
    SIGN_IN: {"SignIns": "yes"},
}


def drops(
    run: Run,
    rows: Mapping[str, int],
    gaps: Collection[str],
    before: Run | None,
    checks: Sequence[Check],
) -> Iterator[Check]:
    """Yield a check for each step that lost many of its rows, or one that says that none did.

    ``checks`` are the others of the run: the number of that of the sign-ins is compared, too.
    """
    if before is None:
        yield Check("drop", "ok", "no earlier package was delivered: there is nothing to compare with")
        return
    found = [check for line in before.steps if (check := _step(run, rows, gaps, before, line))]
    found += _sign_ins(run, before, checks)
    yield from found or [
        Check("drop", "ok", f"no step lost more than {_percent(WARNED)} of its rows since {before.run}")
    ]


def _step(
    run: Run, rows: Mapping[str, int], gaps: Collection[str], before: Run, line: StepLine
) -> Check | None:
    step, had, is_ours = line.step.id, line.rows or 0, run.reader.owner is Owner.BRIDGE
    if step in before.not_applicable or (is_ours and step in COUNTS):
        return None
    if step not in rows:
        why = "does not apply" if step in run.not_applicable else "is not there"
        return Check("drop", "warned", f"{step}: it {why} any more; {had:,} rows in {before.run}")
    lost = Fraction(had - rows[step], had or 1)
    if not _is_told(run, lost):
        return None
    text = _text(run, before, lost, f"{step}: {rows[step]:,} rows", had)
    choices = CHOICES.get(step, {}) if is_ours else {}
    if changed := _changed(run, before, choices):
        text += f"; changed since then: {', '.join(changed)}"
    gap = GAP_OF.get(step) if is_ours else None
    if gap in gaps:
        return Check("drop", "warned", f"{text}; the gap {gap} tells why")
    return _judged(run, text, is_much=lost > max_drop(run) and not (choices and changed))


def _sign_ins(run: Run, before: Run, checks: Sequence[Check]) -> Iterator[Check]:
    """Yield a check if far fewer users have a date: whoever has none has a row of SignIn, too."""
    now, had = _dated(checks), _dated(before.checks)
    if now is None or had is None:
        return
    lost = Fraction(had - now, had or 1)
    if _is_told(run, lost):
        text = _text(run, before, lost, f"{SIGN_IN}: {now:,} users with a date", had)
        yield _judged(run, text, is_much=lost > max_drop(run))


def _dated(checks: Sequence[Check]) -> int | None:
    return next((check.number for check in checks if check.name == "sign-ins"), None)


def _is_told(run: Run, lost: Fraction) -> bool:
    return lost > min(WARNED, max_drop(run))


def _text(run: Run, before: Run, lost: Fraction, now: str, had: int) -> str:
    fewer, most = _percent(lost), _percent(max_drop(run))
    return f"{now}, {had:,} in {before.run}: {fewer} fewer, max_drop is {most}"


def _judged(run: Run, text: str, *, is_much: bool) -> Check:
    if is_much and run.accepted_drop:
        return Check("drop", "warned", f"{text}; accepted, because: {run.accepted_drop}")
    return Check("drop", "refused" if is_much else "warned", text)


def _changed(run: Run, before: Run, choices: Mapping[str, str]) -> list[str]:
    """Return which of a step's choices differ between the runs; of all parameters where it has none."""
    now, then = parameters(run), parameters(before)
    if not choices:
        return [name for name in sorted({*now, *then}) if now.get(name) != then.get(name)]
    return [
        name for name, usual in choices.items() if _chosen(now, name, usual) != _chosen(then, name, usual)
    ]


def _chosen(given: Mapping[str, object], name: str, usual: str) -> set[str]:
    """Return what a list names, in whatever order and case."""
    text = str(given.get(name) or usual)
    return {part.strip().casefold() for part in text.split(",")}


def max_drop(run: Run) -> Fraction:
    """Return the share of its rows that a step of the run may lose."""
    return Fraction(str(run.settings.get("max_drop", 0.5)))


def _percent(share: Fraction) -> str:
    return f"{float(share):.1%}".replace(".0%", "%").replace("%", " %")
