"""What the deprecated connector rests on, and Microsoft has retired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from bridge.beacon import is_deprecated
from bridge.errors import ReaderError

WAY_ON = (
    'Move the connection to "bridge:Microsoft 365": docs/migration.md shows how. Nothing brings this back.'
)


@dataclass(frozen=True, slots=True)
class Retired:
    """A PowerShell module: what it reached, since when that is gone, who says so, how errors name it.

    ``general`` is what errors of the deprecated connector say, and those of others could say as well.
    """

    module: str
    service: str
    since: date
    source: str
    named: re.Pattern[str]
    general: re.Pattern[str] | None = None

    @property
    def sentence(self) -> str:
        """What happened, and since when."""
        return f"Microsoft retired {self.service} as of {self.since}, and with it the module {self.module}."


MSONLINE = Retired(
    "MSOnline",
    "the MSOnline service",
    date(2025, 5, 30),
    "Azure/azure-docs-powershell-azuread docs-conceptual/azureadps-2.0/migration-faq.yml",
    # A cmdlet; the module, and no account, host or path of that name; the namespace of its errors.
    re.compile(
        r"\b(add|confirm|connect|convert|disable|enable|get|new|redo|remove|reset|restore|set|update)-msol[a-z]+\b"
        r"|(?<![\w\\/.@-])msonline(?![\w\\/@-]|\.\w)|\bmodules[\\/]msonline\b"
        r"|\bmicrosoft\.online\.administration\b",
        re.IGNORECASE,
    ),
    re.compile("forbidden with client authentication scheme", re.IGNORECASE),  # WCF, of any endpoint
)
SKYPE = Retired(
    "SkypeOnlineConnector",
    "Skype for Business Online",
    date(2021, 7, 31),
    "learn.microsoft.com/microsoftteams/skype-for-business-online-retirement",
    re.compile(
        r"\b(skype|lync)onlineconnector\b|\b[a-z]+-csonline[a-z]+\b|\bonline\.lync\.com\b", re.IGNORECASE
    ),
)
MODULES = (MSONLINE, SKYPE)


def named_in(text: str, reader: str = "") -> tuple[Retired, ...]:
    """Return what is retired of that which a text names: an error of a reader, or a module's name."""
    gone = of_reader(reader)
    return tuple(
        one
        for one in MODULES
        if one.named.search(text) or (one in gone and one.general and one.general.search(text))
    )


def of_reader(name: str) -> tuple[Retired, ...]:
    """Return what is retired of that which a reader rests on: its folder's name, or as settings name it."""
    bare = re.split(r"[\\/:]", name.rstrip("\\/"))[-1]
    return MODULES if is_deprecated(bare) else ()


def warnings(reader: str) -> list[str]:
    """Return the warning that every run of such a reader begins with."""
    gone = of_reader(reader)
    return [f"{sentences(gone)} {WAY_ON}"] if gone else []


def sentences(retired: Iterable[Retired]) -> str:
    """Return what happened to each, as one text."""
    return " ".join(one.sentence for one in retired)


def refuse_empty_world(reader: str, rows: Mapping[str, int]) -> None:
    """Raise ReaderError where the deprecated connector read nothing at all: no tenant is as empty as that."""
    if is_deprecated(reader) and rows and not any(rows.values()):
        raise ReaderError(
            f"Every one of the {len(rows)} steps is empty, so the reader was shown an empty world. "
            f"{MSONLINE.sentence}",
            hint=WAY_ON,
        )
