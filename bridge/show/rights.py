"""The permissions of a token, as scripts and people get them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from bridge.show import screen
from bridge.signin.permissions import Line

_STATES = {True: "yes", False: "no", None: "unknown"}


def line_json(line: Line) -> dict[str, object]:
    """Return one permission; ``granted`` is null where the token does not say what it has."""
    known = line.permission
    return {
        "feature": known.feature,
        "permission": known.name,
        "role": known.role,
        "granted": line.granted,
        "required": known.required,
        "without": known.without,
    }


def table(lines: Sequence[Line]) -> Table:
    """Return one line a permission, with what is left out where it is missing."""
    rows = (
        (
            one.permission.feature,
            one.permission.name,
            _STATES[one.granted],
            "" if one.granted else one.permission.without,
        )
        for one in lines
    )
    return screen.table(("Feature", "Application permission", "Granted", "Without it"), rows)


def manifest_lines(facts: Mapping[str, object]) -> list[str]:
    """Return the manifest's part, to be pasted, and where an administrator consents to it."""
    manifest = screen.as_json({"requiredResourceAccess": facts["requiredResourceAccess"]})
    return [manifest, "", "An administrator of the tenant consents at:", str(facts["admin_consent"])]
