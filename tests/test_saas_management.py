"""Where Flexera SaaS Management is in use, nothing is delivered by accident."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bridge import pipeline
from bridge.errors import DeliveryError
from bridge.runs.store import DELIVERED, READY
from bridge.settings import SaasManagement
from bridge.workplace import Workplace
from tests.engines import contoso, silent, workplace


def place_with(tmp_path: Path, saas_management: SaasManagement) -> Workplace:
    """Return a workplace that delivers to Outbox and says so of SaaS Management."""
    (tmp_path / "Outbox").mkdir(exist_ok=True)
    place = workplace(tmp_path, deliver_to=tmp_path / "Outbox")
    return replace(place, settings=replace(place.settings, saas_management=saas_management))


def test_a_package_waits_where_saas_management_is_in_use(tmp_path: Path) -> None:
    """Collecting and converting go on; the refusal is no failure that time mends, and names the switch."""
    place = place_with(tmp_path, "yes")
    with pytest.raises(DeliveryError, match="SaaS Management is in use") as caught:
        pipeline.run(place, contoso(place), silent)
    assert not caught.value.retryable
    (made,) = place.runs.all()
    assert caught.value.hint.endswith(f"beacon-bridge deliver {made.run} --anyway")
    assert place.runs.place(made) == READY
    assert list((tmp_path / "Outbox").iterdir()) == []


def test_what_waits_goes_out_anyway_when_that_is_said(tmp_path: Path) -> None:
    """``deliver RUN`` and ``deliver --waiting`` refuse, too, until they are told otherwise."""
    place = place_with(tmp_path, "yes")
    with pytest.raises(DeliveryError):
        pipeline.run(place, contoso(place), silent)
    made = place.runs.load("last:Contoso")
    with pytest.raises(DeliveryError):
        pipeline.deliver_run(place, made, silent)
    with pytest.raises(DeliveryError):
        pipeline.deliver_waiting(place, contoso(place), silent)
    sent = pipeline.deliver_waiting(place, contoso(place), silent, anyway=True)
    assert sent
    assert place.runs.place(sent) == DELIVERED


@pytest.mark.parametrize("said", ["no", "unknown"])
def test_delivery_goes_on_elsewhere(tmp_path: Path, said: SaasManagement) -> None:
    """Only a plain yes stands in the way."""
    place = place_with(tmp_path, said)
    assert place.runs.place(pipeline.run(place, contoso(place), silent)) == DELIVERED


def test_a_run_may_deliver_anyway(tmp_path: Path) -> None:
    """``run --anyway`` delivers in one go."""
    place = place_with(tmp_path, "yes")
    assert place.runs.place(pipeline.run(place, contoso(place), silent, anyway=True)) == DELIVERED
