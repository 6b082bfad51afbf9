"""Type aliases that stand once: what passes between rooms without a class of its own.

They are strings, so that a module that only names one, such as the planning of a batch, imports no NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Block: TypeAlias = "NDArray[np.float32] | NDArray[np.float64]"
"""Audio of shape (frames, channels), full scale 1.0."""

Array: TypeAlias = "NDArray[np.float64]"
Array32: TypeAlias = "NDArray[np.float32]"
Mask: TypeAlias = "NDArray[np.bool_]"

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Called as ``progress(stage, frames_done, frames_in_all)``."""
