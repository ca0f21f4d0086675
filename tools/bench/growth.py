"""How time and memory grow with the tenant: whole runs of several sizes, drawn for docs/performance.md.

    python -m tools.bench.growth --users 10000,100000,1000000 --images docs/images

The tenant is served by a process of its own, without waits: time is what the machine can do. Prints the table
as Markdown. `--engine powershell` measures that engine; give it an afternoon for a million users.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygal  # type: ignore[import-untyped]  # it has no types

from tools import demo
from tools.bench import measure
from tools.bench.reading import served
from tools.tenant import Tenant

CHILD = "tools.bench.growth"
COLOURS = ("#0969da", "#bc4c00", "#57606a")


@dataclass(frozen=True, slots=True)
class Point:
    """One run: users, rows, wall seconds of two stages, CPU seconds, peaks in MB (0: no PowerShell)."""

    users: int
    rows: int
    collect: float
    convert: float
    cpu: float
    peak: float
    powershell: float

    @property
    def cells(self) -> tuple[str, ...]:
        """The point as a row of the table."""
        shown = (self.collect, self.convert, self.cpu, self.peak, self.powershell)
        return (f"{self.users:,}", f"{self.rows:,}", *(f"{one:,.1f}" if one else "-" for one in shown))


HEAD = ("users", "rows", "collect, s", "convert, s", "CPU, s", "memory, MB", "of PowerShell, MB")


def main() -> int:
    """Measure each size, draw, and print the table."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {CHILD}", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", default="10000,100000,1000000", metavar="N,...")
    parser.add_argument("--engine", choices=("native", "powershell"), default="native")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="where the pictures go")
    given = parser.parse_args()
    points = [point(int(users), given.engine) for users in given.users.split(",")]
    if given.images:
        draw(points, given.images, given.engine)
    rule = " | ".join("---:" for _ in HEAD)
    lines = [HEAD, *(one.cells for one in points)]
    table = [f"| {' | '.join(cells)} |" for cells in lines]
    print("\n".join([table[0], f"| {rule} |", *table[1:]]))
    return 0


def point(users: int, engine: str) -> Point:
    """Run one tenant through collect and convert, as an administrator would."""
    print(f"measuring {users:,} users, {engine} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="beacon-bridge-growth-") as name, served(users, 0) as place:
        root, token = place
        folder = Path(name)
        demo.lay_out_beacon(folder / "Flexera Software")
        tenant = Tenant(users, demo.SEED)
        config = demo.write_settings(folder, tenant, engine, demo.given_token(root))
        before = measure.children_seconds()
        said = measure.run(measure.python(CHILD, "--child", config), environment={demo.TOKEN_VARIABLE: token})
        cpu = measure.children_seconds() - before
    run, peaks = map(json.loads, said.strip().rsplit("\n", 1))
    powershell = peaks["children"] / measure.MB if engine == "powershell" else 0.0
    return Point(users, *_taken(run), cpu, peaks["peak"] / measure.MB, powershell)


def _taken(run: Mapping[str, Any]) -> tuple[int, float, float]:
    """Return a run's rows, and how long its two stages took."""
    seconds = {stage["name"]: stage["seconds"] for stage in run["stages"]}
    return sum(line["rows"] for line in run["steps"]), seconds["collect"], seconds["convert"]


def child(config: str) -> int:
    """Run the connection in this process, then print its peak memory, and its largest child's, as a line."""
    import resource  # noqa: PLC0415  # not on Windows

    from bridge.cli import main as bridge  # noqa: PLC0415
    from tools.bench.child import peak_bytes  # noqa: PLC0415

    code = bridge(["run", "Demo", "--json", "--config", config])
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(json.dumps({"peak": peak_bytes(), "children": children}))
    return code


def draw(points: Sequence[Point], folder: Path, engine: str) -> None:
    """Draw time and memory over users, both axes' steps being tenfold."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = [f"{one.users:,} users" for one in points]
    time = {"collect": [one.collect for one in points], "convert": [one.convert for one in points]}
    memory = {"beacon-bridge": [one.peak for one in points]}
    if any(one.powershell for one in points):
        memory["PowerShell"] = [one.powershell for one in points]
    _line("Seconds", labels, time, folder / f"performance-time-{engine}.svg", logarithmic=True)
    _line("Peak memory in MB", labels, memory, folder / f"performance-memory-{engine}.svg", logarithmic=False)


def _line(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], file: Path, *, logarithmic: bool
) -> None:
    style = pygal.style.Style(
        background="white", plot_background="white", colors=COLOURS, value_font_size=13, title_font_size=18
    )
    chart = pygal.Line(
        title=title,
        width=720,
        height=360,
        js=[],
        style=style,
        logarithmic=logarithmic,
        range=None if logarithmic else (0, 1.2 * max(map(max, series.values()))),
        print_values=True,
        value_formatter=lambda value: f"{value:,.1f}",
        legend_at_bottom=True,
        show_y_guides=True,
    )
    chart.x_labels = labels
    for name, values in series.items():
        chart.add(name, list(values))
    file.write_bytes(chart.render() + b"\n")


if __name__ == "__main__":
    sys.exit(child(sys.argv[2]) if sys.argv[1:2] == ["--child"] else main())
