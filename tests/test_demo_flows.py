"""The demo signs in by each flow: real commands, a simulated cloud, a package that equals the tenant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clouds import HOME
from tools import demo, flows


@pytest.mark.parametrize("flow", flows.NAMES)
def test_the_demo_signs_in(tmp_path: Path, capfd: pytest.CaptureFixture[str], flow: str) -> None:
    """Set up once, run, verified, and compared; whatever was asked for was asked of the simulated cloud."""
    assert demo.demonstrate(tmp_path, 12, "native", flow)
    told = capfd.readouterr().out
    assert "the package does not" not in told.lower()
    assert "POST  https://login.microsoftonline.com/" in told
    assert "GET   https://graph.microsoft.com/v1.0/users" in told
    assert "does not play" not in told


def test_the_demo_notices_a_sign_in_that_failed(tmp_path: Path) -> None:
    """A command that fails is not taken for a success, nothing being typed."""
    with flows.signed_in("device", HOME, tmp_path) as way:
        parameters = ('GraphRoot = "https://graph.microsoft.com"', "AccessToken = { token = true }")
        bridge = demo.Bridge(demo.write_settings(tmp_path, HOME, "native", parameters, way))
        way.cloud.switch("signin:53003")
        assert not way.prepare(bridge)
        assert [one.status for one in way.cloud.requests if one.method == "POST"] == [400]


def test_the_flows_of_the_command_line_exist() -> None:
    """--flow offers what there is; demo.py cannot import it before the environment is entered."""
    given = demo.arguments(["--flow", "device", "--users", "7"])
    assert (given.flow, given.users) == ("device", 7)
    for flow in flows.NAMES:
        assert demo.arguments(["--flow", flow]).flow == flow
