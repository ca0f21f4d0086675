"""The command that all others belong to."""

from __future__ import annotations

import click

from bridge import __version__
from bridge.desk import examples


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "beacon-bridge check                     what this machine has and lacks",
        'beacon-bridge run "Contoso EU"          collect, convert and deliver',
        'beacon-bridge show "last:Contoso EU"    what became of it, and what to do next',
    ),
)
@click.version_option(__version__, prog_name="beacon-bridge")
def group() -> None:
    """Run a FlexNet beacon's Microsoft 365 reader folders and turn what they read into upload packages.

    The manual is docs/manual.md. Exit codes: 0 done, 2 usage, 3 settings, 4 beacon, 5 sign-in, 6 reader,
    7 reader output, 8 package, 9 delivery, 10 busy, 11 gaps under --strict, 12 several failures,
    130 interrupted.
    """
