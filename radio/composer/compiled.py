"""Python loops over arrays, compiled to machine code at their first call (numba)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function, compiled; kept on disk for the next process where there is a place for it.

    Sums may be taken in another order, and numbers are taken to be finite.
    """
    try:
        made = numba.njit(function, fastmath=True, cache=True)
    except RuntimeError:  # nowhere to write
        made = numba.njit(function, fastmath=True)
    return cast("F", made)
