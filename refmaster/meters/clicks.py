"""Clicks and pops: short errors that the sound before and after does not explain."""

from __future__ import annotations

from refmaster._types import Block

# The rows that facts keep: the highest clicks.
MAX_ROWS = 200


class ClickMeter:
    """Find the clicks in a stream.

    Parameters
    ----------
    sample_rate_hz : int
    channels : int
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self.sample_rate_hz, self.channels = sample_rate_hz, channels

    def update(self, planar: Block) -> None:
        """Take a block of shape (frames, channels), each channel's frames side by side in memory."""

    def result(self) -> list[tuple[int, int, int, float]]:
        """Return the clicks as (start_frame, frames, channel, height_db), by time; the meter is finished."""
        return []
