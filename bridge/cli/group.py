"""The command that all others belong to."""

from __future__ import annotations

import click

from bridge import __version__
from bridge.desk import examples, printing


class Command(click.Command):
    """A command whose help is printed like every result."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words of the command; --help and --version end it."""
        with printing():
            return super().parse_args(ctx, args)
        raise click.exceptions.Exit  # nobody reads the help, which is no reason to run the command


class Group(Command, click.Group):
    """A group of such commands."""

    command_class = Command


@click.group(
    cls=Group,
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
