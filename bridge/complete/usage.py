"""Licensed users, against Graph's count and against the report of active users."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from bridge.complete.facts import Facts, listed, many
from bridge.model import CLOUDS, Check, Origin
from bridge.readers.ours import USAGE
from bridge.runs.record import Run

REPORT = "getOffice365ActiveUserDetail"
# What our folder reads unless others are named, and what may well have no rows: it is retired, or not bought.
USUAL = (
    REPORT,
    "getOffice365ActivationsUserDetail",
    "getM365AppUserDetail",
    "getMicrosoft365CopilotUsageUserDetail",
)
MAY_BE_EMPTY = {"getSkypeForBusinessActivityUserDetail", "getMicrosoft365CopilotUsageUserDetail"}
# Graph's usage reports are of the global cloud only (learn.microsoft.com/graph/api/resources/report).
WITHOUT_REPORTS = {cloud.graph for cloud in CLOUDS.values()} - {CLOUDS["global"].graph}


def licensed(facts: Facts) -> Check:
    """Compare the users whose assignment takes a unit with Graph's count of licensed users.

    The two may differ for good reasons, such as an assignment in error. That users have no assignment at
    all, of any state, has none.
    """
    found, counts = facts.people.licensed, facts.counts.get("LicensedUser", ())
    if not counts:
        return Check("licensed", "noted", f"{many(found, 'licensed user')}; Microsoft Graph counted none")
    told = " and ".join(f"{count:,}" for count in counts)
    slack, least, most, assigned = facts.slack, min(counts), max(counts), facts.people.assigned
    text = f"{many(found, 'licensed user')}; Microsoft Graph counted {told}"
    if (not found and least > slack) or (not assigned and least) or assigned + slack < least:
        return Check("licensed", "refused", f"{text}; {many(assigned, 'user')} with any assignment")
    if not least - slack <= found <= most + slack:
        return Check("licensed", "warned", f"{text}, give or take {slack:,}")
    return Check("licensed", "ok" if {*counts} == {found} else "noted", text)


def reported(facts: Facts) -> Check:
    """Compare the users in the report with those licensed; an empty report is one to look at."""
    found, users = facts.reported, facts.most_licensed
    if found is None:
        return Check("report", "ok", f"{REPORT} was not read")
    text = f"{REPORT} names {many(found, 'user')}, {users:,} are licensed"
    if not found and users:
        return Check("report", "warned" if facts.offered else "noted", text)
    return Check("report", "ok" if found == users else "noted", text)


def empty(facts: Facts) -> Check:
    """Name every other report that was asked for and has no rows, although users are licensed."""
    may_be = {name.casefold() for name in (REPORT, *MAY_BE_EMPTY)}
    named = [name for name in facts.empty if name.casefold() not in may_be]
    if "usage" in facts.gaps or not facts.offered or not facts.most_licensed or not named:
        return Check("reports", "ok", "no report that should have rows is empty")
    text = f"no row of {listed(named)}; licensed users: {facts.most_licensed:,}"
    return Check("reports", "warned", text)


def concealed(facts: Facts) -> Iterator[Check]:
    """Say where usage cannot be joined to users."""
    if "concealed" in facts.gaps:
        rows = many(facts.rows.get(USAGE, 0), "row")
        yield Check("usage", "noted", f"names are concealed: {rows} of usage are not joined to users")


# --- what the run asked for ---


def was_read(run: Run, gaps: Collection[str], rows: int) -> bool:
    """Return whether the report was read: asked for and not refused or, by hand, whether any row is there."""
    if run.origin is Origin.BY_HAND:
        return rows > 0
    return "usage" not in gaps and REPORT.casefold() in map(str.casefold, asked(run))


def asked(run: Run) -> tuple[str, ...]:
    """Return the reports that were asked for; none by hand, where nobody can tell."""
    if run.origin is Origin.BY_HAND:
        return ()
    names = [one.strip() for one in str(parameters(run).get("Reports") or "").split(",")]
    given = tuple(name for name in names if name)
    return () if [name.casefold() for name in given] == ["none"] else given or USUAL


def is_offered(run: Run) -> bool:
    """Return whether the cloud of GraphRoot or, where none is given, the connection's has usage reports."""
    cloud = run.settings.get("cloud")
    root = parameters(run).get("GraphRoot") or (cloud.get("graph") if isinstance(cloud, Mapping) else None)
    return str(root).strip().rstrip("/").removesuffix("/v1.0").lower() not in WITHOUT_REPORTS


def reads_sign_ins(run: Run, gaps: Collection[str]) -> bool:
    """Return whether the last sign-ins were to be read: asked for, and not refused."""
    return "sign-ins" not in gaps and str(parameters(run).get("SignIns") or "").strip().lower() != "no"


def parameters(run: Run) -> Mapping[str, object]:
    """Return the parameters that were given to the run."""
    found = run.settings.get("parameters")
    return found if isinstance(found, Mapping) else {}
