"""Arguments in, results out: every command, a module a family, and how an error becomes an exit code."""

from __future__ import annotations

from bridge.cli import (
    connection,
    difference,
    looking,
    position,
    readers,
    schedule,
    secret,
    signing,
    stages,
    watching,
)
from bridge.cli.group import group
from bridge.desk import run_command

__all__ = [
    "connection",
    "difference",
    "group",
    "looking",
    "main",
    "position",
    "readers",
    "schedule",
    "secret",
    "signing",
    "stages",
    "watching",
]


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    return run_command(group, arguments)
