"""Every fault of the simulated tenant through both engines: the tenant's rows, or an error with a name."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bridge import assembly, pipeline
from bridge.collect.graph import Graph
from bridge.errors import ReaderError, ReaderOutputError, SignInError
from bridge.model import Connection, Engine, Granted, Secret, SignIn, State
from bridge.runs.store import READY
from bridge.signin.entra import Grant
from bridge.workplace import Workplace
from tests.engines import contoso, silent, workplace
from tools import demo
from tools.tenant import SCENARIOS, Service, scenario, serve
from tools.tenant.scenarios import FATAL
from tools.tenant.truth import gaps, truth

USERS, SEED = 61, 11
NAMED = (ReaderError, ReaderOutputError, SignInError)
EVERY_GAP = ("concealed", "commerce-subscriptions", "organization", "sign-ins", "usage")
# PowerShell takes its time to start: faults that leave a tenant readable come to it several at a time, each
# of another kind, the others alone. The native engine gets every fault by itself, and these besides.
TOGETHER = (
    "storm,concealed,no-premium,lost-subscription",
    "server-errors,mixed-names,deleted-in-reports,unknown-sku",
    "html-errors,unknown-names,inline-reports,no-mail,empty-sign-ins",
    "empty-pages,duplicate-rows,empty-report,retired-report",
    "expired-page,top-cap,churn,forbidden-ReportSettings.Read.All",
    "expired-token,forbidden-AuditLog.Read.All,forbidden-Organization.Read.All",
    "no-licences,no-reports-cloud",
    "forbidden-Reports.Read.All",
)
CASES = [
    *(("native", name) for name in (*SCENARIOS, *TOGETHER)),
    *(pytest.param("powershell", name, marks=pytest.mark.powershell) for name in (*sorted(FATAL), *TOGETHER)),
]


@dataclass
class Tokens:
    """A sign-in that always has the service's token of this moment, as Microsoft Entra would give another."""

    service: Service

    def __call__(self, rejected: Secret | None = None) -> Secret:
        return Secret(self.service.token)

    def grant(self) -> Grant:
        return Grant(self(), 3600.0, None, None, "")

    def granted(self, what: Granted) -> Secret:
        return self()


def place_for(service: Service, home: Path, engine: str, optional: tuple[str, ...]) -> Workplace:
    """Return a workplace whose one connection reads the tenant with our folder; the engine signs in."""

    def engines(connection: Connection) -> Engine:
        return Graph() if engine == "native" else assembly.find_tester(os.environ)

    def sign_in(connection: Connection, tell: object) -> Any:
        return Tokens(service)

    app = SignIn("secret", "11111111-2222-3333-4444-555555555555")
    parameters = {"GraphRoot": service.root, "AccessToken": Granted.TOKEN}
    made = workplace(home, parameters=parameters, optional=optional, sign_in=app)
    ours = replace(contoso(made), reader="bridge:Microsoft 365")
    settings = replace(made.settings, connections={"Contoso": ours})
    return replace(made, settings=settings, engines=engines, sign_ins=sign_in)


def gaps_of(name: str) -> frozenset[str]:
    """Return the gaps that a fault leaves."""
    return gaps(*scenario(name, USERS, SEED))


def test_no_fault_is_forgotten() -> None:
    """Each fault goes through PowerShell once: alone where nobody can read the tenant, else with others."""
    together = [name for names in TOGETHER for name in names.split(",")]
    assert sorted([*FATAL, *together]) == sorted(SCENARIOS)


@pytest.mark.parametrize(("engine", "name"), CASES)
def test_a_package_is_whole_or_there_is_none(engine: str, name: str, tmp_path: Path) -> None:
    """Where a tenant can be read, the package holds all its rows, and the gaps are said; else nothing."""
    tenant, faults = scenario(name, USERS, SEED)
    with serve(tenant, faults) as service:
        place = place_for(service, tmp_path, engine, EVERY_GAP)
        if name in FATAL:
            with pytest.raises(NAMED) as caught:
                pipeline.run(place, contoso(place), silent)
            assert caught.value.hint
            assert not list(tmp_path.rglob("*.zip"))
            return
        run = pipeline.run(place, contoso(place), silent)
    expected = gaps(tenant, faults)
    assert {gap.name for gap in run.gaps} == expected
    assert run.state is (State.COMPLETE_WITH_GAPS if expected else State.COMPLETE)
    assert place.runs.place(run) == READY
    package = place.runs.package(run)
    assert package is not None
    assert demo.compare(package, truth(tenant, faults))
    assert service.requests.early == 0, "a retry came before its time"


@pytest.mark.parametrize("name", sorted(name for name in set(SCENARIOS) - set(FATAL) if gaps_of(name)))
def test_a_gap_that_is_not_allowed_is_an_error(name: str, tmp_path: Path) -> None:
    """A feature without its permission, or hidden names, fail a run whose connection does not list them."""
    tenant, faults = scenario(name, USERS, SEED)
    expected = gaps(tenant, faults)
    with serve(tenant, faults) as service:
        place = place_for(service, tmp_path, "native", ())
        with pytest.raises(ReaderError) as caught:
            pipeline.run(place, contoso(place), silent)
    assert all(gap in str(caught.value) for gap in expected)
    assert "optional" in caught.value.hint
    assert not list(tmp_path.rglob("*.zip"))
