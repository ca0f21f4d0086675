"""What Flexera SaaS Management means for the licences that a reader brings."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.model import Finding
from bridge.settings import Settings

RETIRED = (
    "Flexera SaaS Management is in use: once it has imported, licences made through either Microsoft 365 "
    "connector become Retired and new ones are created."
)


def retired(settings: Settings) -> list[str]:
    """Return the warning that these licences become Retired, where SaaS Management is in use."""
    return [f"warning: {RETIRED}"] if settings.saas_management == "yes" else []


def findings(settings: Settings) -> Iterator[Finding]:
    """Yield what is said of SaaS Management, and whether nothing is; nothing where it is not in use."""
    if settings.saas_management == "yes":
        fix = (
            "Validate the first SaaS import, move attachments to the new licences, remove the old "
            "connectors; until then --anyway delivers."
        )
        yield Finding("SaaS Management", "warn", RETIRED, fix)
    if settings.saas_management == "unknown":
        text = "nobody has said whether Flexera SaaS Management is in use; it would retire these licences"
        fix = 'Find out, and set saas_management = "yes" or "no" under [beacon].'
        yield Finding("SaaS Management", "info", text, fix)
