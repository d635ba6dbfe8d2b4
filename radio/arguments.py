"""What the parts of the command line share."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any


def add_command(commands: Any, name: str, run: Any, summary: str, more: str, examples: str) -> argparse.ArgumentParser:
    """A subcommand whose help says `summary`, `more` and examples."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(f"{summary[0].upper()}{summary[1:]}. {more}", 88),
        epilog="examples:\n" + "\n".join(f"  {line.strip()}" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def positive(text: str) -> int:
    """The type of an argument that counts from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"got {value}, wanted 1 or more")
    return value
