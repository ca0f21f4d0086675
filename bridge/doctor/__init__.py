"""Every prerequisite, checked and explained: one finding each, with its fix."""

from bridge.doctor.connection import connection
from bridge.doctor.findings import FindTester, Tester, as_json, exit_code
from bridge.doctor.machine import NO_DEPRECATED, machine
from bridge.doctor.saas import RETIRED, retired
from bridge.doctor.windows import Facts
from bridge.model import Finding

__all__ = [
    "NO_DEPRECATED",
    "RETIRED",
    "Facts",
    "FindTester",
    "Finding",
    "Tester",
    "as_json",
    "connection",
    "exit_code",
    "machine",
    "retired",
]
