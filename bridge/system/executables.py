"""Which machine an executable is made for."""

from __future__ import annotations

import struct
from pathlib import Path

PE_I386 = 0x014C  # IMAGE_FILE_MACHINE_I386, learn.microsoft.com/windows/win32/debug/pe-format
PE_BITS = {PE_I386: 32, 0x8664: 64, 0xAA64: 64, 0x01C4: 32}


def pe_machine(path: Path) -> int | None:
    """Return the machine field of an executable's PE header, None when it is no PE file."""
    with path.open("rb") as file:
        head = file.read(0x40)
        if len(head) < 0x40 or head[:2] != b"MZ":
            return None
        (offset,) = struct.unpack_from("<I", head, 0x3C)
        file.seek(offset)
        signature = file.read(6)
    if len(signature) < 6 or signature[:4] != b"PE\0\0":
        return None
    (machine,) = struct.unpack_from("<H", signature, 4)
    return int(machine)
