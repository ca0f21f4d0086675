"""The one room that knows the operating system; everybody else asks here."""

from bridge.system.clock import now, stopwatch, timestamp
from bridge.system.executables import PE_BITS, PE_I386, pe_machine
from bridge.system.files import (
    WINDOWS,
    flush,
    flush_folder,
    free_bytes,
    is_broken_pipe,
    replace,
    write_whole,
)
from bridge.system.marks import zone, zone_of
from bridge.system.places import default_state, path_length_limit, program_data
from bridge.system.processes import Child, account, is_alive, own_process
from bridge.system.registry import NoRegistry, Registry, registry
from bridge.system.rights import RIGHTS, Rights, admit, make_private_folder, strangers
from bridge.system.schtasks import Done, Schtasks
from bridge.system.threads import LOOK, begin
from bridge.system.vault import FileVault, Vault, vault

__all__ = [
    "LOOK",
    "PE_BITS",
    "PE_I386",
    "RIGHTS",
    "WINDOWS",
    "Child",
    "Done",
    "FileVault",
    "NoRegistry",
    "Registry",
    "Rights",
    "Schtasks",
    "Vault",
    "account",
    "admit",
    "begin",
    "default_state",
    "flush",
    "flush_folder",
    "free_bytes",
    "is_alive",
    "is_broken_pipe",
    "make_private_folder",
    "now",
    "own_process",
    "path_length_limit",
    "pe_machine",
    "program_data",
    "registry",
    "replace",
    "stopwatch",
    "strangers",
    "timestamp",
    "vault",
    "write_whole",
    "zone",
    "zone_of",
]
