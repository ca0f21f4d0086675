"""P6: what it costs to convert and deliver again, beside what the whole run cost."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools import demo, environment
from tools.bench import measure
from tools.bench.measure import Figure
from tools.tenant import Tenant, serve

TARGET = 0.2


def figures(folder: Path, users: int, count: int) -> list[Figure]:
    """Return P6 for the PowerShell engine, and for the native one, whose cheaper collecting has no target."""
    what = "convert and deliver again / whole run, {} engine"
    native = Figure("P6n", what.format("native"), _shares(folder / "native", users, count, "native"))
    powershell = Figure("P6", what.format("powershell"), (), target=TARGET, skipped="pwsh is not on PATH")
    if shutil.which("pwsh"):
        shares = _shares(folder / "powershell", users, count, "powershell")
        powershell = Figure(powershell.name, powershell.what, shares, target=TARGET)
    return [powershell, native]


def _shares(folder: Path, users: int, count: int, engine: str) -> tuple[float, ...]:
    tenant = Tenant(users=users, seed=demo.SEED)
    with serve(tenant) as service:
        folder.mkdir(parents=True)
        demo.lay_out_beacon(folder / "Flexera Software")
        config = demo.write_settings(folder, tenant, engine, demo.given_token(service.root))
        token = {demo.TOKEN_VARIABLE: service.token}

        def bridge(*words: str) -> float:
            command = [environment.tool("beacon-bridge"), *words, "--config", str(config)]
            return measure.cpu(command, environment=token)

        jobs = {
            "run": lambda: bridge("run", "Demo"),
            "convert": lambda: bridge("convert", "last:Demo"),
            "deliver": lambda: bridge("deliver", "last:Demo", "--again", "--reason", "benchmark"),
        }
        return tuple((one["convert"] + one["deliver"]) / one["run"] for one in measure.rounds(count, jobs))
