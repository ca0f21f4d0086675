"""Reader XML output that somebody saved by hand, taken into a run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bridge import deliver
from bridge.errors import SettingsError
from bridge.model import Reader, Say, Talk
from bridge.runs.record import Run
from bridge.runs.recorder import recorded
from bridge.runs.store import Runs


def take_files(runs: Runs, run: Run, files: Mapping[str, Path], say: Say) -> Run:
    """Copy reader XML output that somebody saved by hand into the run's folder; ``files`` by step id."""
    with recorded(runs, run, "collect", say) as stage:
        stage.say(Talk("stage", f"collect: {len(files)} files saved by hand, run {run.run}"))
        lines = []
        for line in run.steps:
            capture = f"capture/{line.number:03}.xml"
            place = runs.path(run.run) / capture
            shutil.copyfile(files[line.step.id], place)
            lines.append(replace(line, capture=capture, capture_sha256=deliver.sha256_of(place)))
        stage.save(replace(stage.run, steps=tuple(lines)))
    return stage.run


def files_by_step(reader: Reader, files: Mapping[str, Path]) -> dict[str, Path]:
    """Match ``STEP=FILE`` to steps, by full name (``User.xml/LoadUsers``) or by a step's bare unique name.

    Raises SettingsError unless every step has exactly one file that is there.
    """
    ids = [step.id for step in reader.to_collect]
    chosen: dict[str, Path] = {}
    for name, path in files.items():
        matching = [one for one in ids if name in {one, one.rpartition("/")[2]}]
        if len(matching) != 1:
            raise SettingsError(
                f"{name!r} names {len(matching)} steps.", hint=f"The steps are: {', '.join(ids)}."
            )
        if matching[0] in chosen:
            raise SettingsError(f"The step {matching[0]} has two files.", hint="Name each step once.")
        if not path.is_file():
            raise SettingsError(
                f"There is no file {path} for the step {matching[0]}.", hint="Check its path."
            )
        chosen[matching[0]] = path
    if missing := [one for one in ids if one not in chosen]:
        raise SettingsError(
            f"Every step needs its file; missing: {', '.join(missing)}.",
            hint="A package is whole or not at all: add STEP=FILE for each.",
        )
    return chosen
