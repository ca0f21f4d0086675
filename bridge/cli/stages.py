"""The commands that do the work: ``run``, its three stages, and each of them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bridge.cli.group import group
from bridge.desk import Desk, examples, reader_name, shared, step_files
from bridge.errors import EXIT_SEVERAL, BridgeError

if TYPE_CHECKING:
    from bridge.runs.record import Run

connection_argument = click.argument("connection")
run_argument = click.argument("run")
anyway_option = click.option(
    "--anyway",
    is_flag=True,
    help="Deliver although Flexera SaaS Management is in use and retires these licences.",
)


@group.command(
    epilog=examples(
        'beacon-bridge run "Contoso EU"',
        'beacon-bridge run "Contoso EU" --strict',
        "beacon-bridge run --all --jobs 4",
    )
)
@click.argument("connection", required=False)
@click.option("--all", "every", is_flag=True, help="Run every connection, each in a process of its own.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=2, help="With --all: how many at a time (2 if not said)."
)
@click.option("--strict", is_flag=True, help="Do not deliver a package that has gaps; exit with 11.")
@anyway_option
@shared
def run(desk: Desk, connection: str | None, every: bool, jobs: int, strict: bool, anyway: bool) -> int:
    """Collect, convert and deliver one connection, or all of them side by side."""
    from bridge import pipeline
    from bridge.cli.many import run_all

    if every == bool(connection):
        raise click.UsageError("Name a CONNECTION, or say --all.")
    if every:
        return run_all(desk, jobs, *(["--strict"] if strict else []), *(["--anyway"] if anyway else []))
    chosen = desk.connection(connection or "")
    with desk.telling() as say:
        done = pipeline.run(desk.workplace, chosen, say, strict=strict, anyway=anyway)
    return desk.finish(done, strict=strict, reads=True)


@group.command(epilog=examples('beacon-bridge collect "Contoso EU"'))
@connection_argument
@shared
def collect(desk: Desk, connection: str) -> int:
    """Run the reader only: the run folder then holds its captures."""
    from bridge import pipeline

    chosen = desk.connection(connection)
    with desk.telling() as say:
        done = pipeline.collect(desk.workplace, chosen, say)
    return desk.finish(done)


@group.command(
    epilog=examples(
        'beacon-bridge convert "last:Contoso EU"',
        'beacon-bridge convert --reader "Microsoft 365" User.xml/LoadUsers=users.xml',
    )
)
@click.argument("what", nargs=-1, required=True, metavar="RUN | STEP=FILE...")
@click.option("--reader", metavar="FOLDER", help="By hand: the reader folder whose steps these are.")
@click.option("--connection", metavar="NAME", help="By hand: the connection the package is for.")
@shared
def convert(desk: Desk, what: tuple[str, ...], reader: str | None, connection: str | None) -> int:
    """Make a run's package again from its captures, or one by hand from saved reader output."""
    from bridge import pipeline

    if not reader and (len(what) > 1 or connection):
        raise click.UsageError("STEP=FILE and --connection want --reader FOLDER.")
    if reader:
        reader = reader_name(reader)
        files = step_files(what)
        chosen = desk.connection(connection) if connection else desk.by_hand(reader)
    with desk.telling() as say:
        if reader:
            done = pipeline.convert_by_hand(desk.workplace, chosen, reader, files, say)
        else:
            done = pipeline.convert(desk.workplace, desk.workplace.runs.load(what[0]), say)
    return desk.finish(done)


@group.command(
    epilog=examples(
        'beacon-bridge deliver "last:Contoso EU"',
        'beacon-bridge deliver 20261122T081530Z-4f2a --again --reason "the share was restored from backup"',
        'beacon-bridge deliver "last:Contoso EU" --accept-drop --reason "the branch was sold"',
        "beacon-bridge deliver --waiting",
    )
)
@click.argument("run", required=False)
@click.option("--waiting", is_flag=True, help="Deliver the newest waiting package of every connection.")
@click.option("--again", is_flag=True, help="Deliver a package that was delivered already; wants --reason.")
@click.option(
    "--accept-drop",
    is_flag=True,
    help="Package and deliver a run that was refused for fewer rows than last time; wants --reason.",
)
@click.option("--reason", default="", help="Why that is right; kept in the run's record.")
@click.option("--accept-by-hand", is_flag=True, help="Deliver a package that was made by hand.")
@anyway_option
@shared
def deliver(
    desk: Desk,
    run: str | None,
    waiting: bool,
    again: bool,
    accept_drop: bool,
    reason: str,
    accept_by_hand: bool,
    anyway: bool,
) -> int:
    """Deliver a run's package to the folder that its connection names."""
    from bridge import pipeline

    if waiting == bool(run) or (waiting and (again or accept_drop or accept_by_hand)):
        raise click.UsageError("Name a RUN, or say --waiting alone.")
    if again and accept_drop:
        raise click.UsageError("Say --again or --accept-drop, not both.")
    if (again or accept_drop) and not reason.strip():
        raise click.UsageError(f"--{'again' if again else 'accept-drop'} wants --reason TEXT.")
    if waiting:
        return _deliver_waiting(desk, anyway=anyway)
    place = desk.workplace
    with desk.telling() as say:
        done = pipeline.deliver_run(
            place,
            place.runs.load(run or ""),
            say,
            again=again,
            reason=reason,
            accept_by_hand=accept_by_hand,
            accept_drop=accept_drop,
            anyway=anyway,
        )
    return desk.finish(done, reads=True)


def _deliver_waiting(desk: Desk, *, anyway: bool) -> int:
    """Deliver what waits for every connection; one that fails does not keep the others."""
    from bridge import pipeline
    from bridge.show import report

    done: list[Run] = []
    failed: dict[str, BridgeError] = {}
    for chosen in desk.workplace.settings.connections.values():
        try:
            with desk.telling() as say:
                sent = pipeline.deliver_waiting(desk.workplace, chosen, say, anyway=anyway)
        except BridgeError as error:
            desk.tell(f"{chosen.name}: {error}\nNext: {error.hint}")
            failed[chosen.name] = error
        else:
            done += [sent] if sent else []
    runs = desk.workplace.runs
    desk.show(report.delivered_json(done, failed, runs), lambda: report.runs_table(done, runs))
    desk.tell_readers()
    codes = {error.exit_code for error in failed.values()}
    return EXIT_SEVERAL if len(codes) > 1 else next(iter(codes), 0)
