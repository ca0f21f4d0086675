"""The program's entry; the only module that exits."""

from __future__ import annotations

import sys

from bridge import cli


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(cli.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
