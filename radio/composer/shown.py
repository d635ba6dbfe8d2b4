"""How the composer's commands show how far they are."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

console = Console(stderr=True)


def bar(*, count: bool = True) -> Progress:
    """A progress bar; `count`: with how many of how many."""
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn()]
    return Progress(*columns, *([MofNCompleteColumn()] if count else []), TimeRemainingColumn(), console=console)
