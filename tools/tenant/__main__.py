"""Serve a simulated tenant until standard input closes, or until killed.

The first line on standard output says where it is and which token it takes::

    $ python -m tools.tenant --users 1000 --seed 1
    {"root": "http://127.0.0.1:40213", "token": "..."}
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys

from tools.tenant import Faults, Tenant, serve


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tools.tenant", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--users", type=int, default=1000, help="how many users the tenant has (1000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same tenant (1)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (0)")
    parser.add_argument(
        "--page-wait", type=int, default=0, metavar="MS", help="milliseconds before each page"
    )
    parser.add_argument("--throttle-every", type=int, default=0, metavar="N", help="429 on every Nth request")
    parser.add_argument("--empty-every", type=int, default=0, metavar="N", help="every Nth page is empty")
    given = parser.parse_args()
    faults = Faults(
        throttle_every=given.throttle_every, empty_every=given.empty_every, page_wait=given.page_wait / 1000
    )
    with (
        serve(Tenant(given.users, given.seed), faults, port=given.port) as service,
        contextlib.suppress(KeyboardInterrupt),
    ):
        print(json.dumps({"root": service.root, "token": service.token}), flush=True)
        while sys.stdin.buffer.read(4096):
            pass


if __name__ == "__main__":
    main()
