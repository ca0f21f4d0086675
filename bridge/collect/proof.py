"""The third proof of 32 bits: what each capture's own header tells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bridge.convert.frames import Frames, parse_header
from bridge.errors import BeaconError
from bridge.model import EngineFacts


def bits_of(capture: Path) -> str:
    """Return the bits that a capture's header tells: ``32``, ``64``, or ``none`` without PowerShell."""
    with capture.open("rb") as file:
        frames = Frames(file.read, capture.name)
        return parse_header(frames.head(), frames).bits


def refuse_bits(engine: EngineFacts, bits: Sequence[str]) -> None:
    """Raise BeaconError for captures that a beacon's PowerShell wrote and that do not say 32 bits."""
    if engine.name == "native" or engine.development:
        return
    if wrong := sorted(set(bits) - {"32"}):
        raise BeaconError(
            f"Captures of this run were written by a PowerShell of {', '.join(wrong)} bits, expected 32.",
            hint="Run `beacon-bridge check`: it names the 32-bit PowerShell of this machine.",
        )
