"""Sample-rate conversion as a streaming kernel (soxr, VHQ), aligned and of exact length."""

from __future__ import annotations

from typing import Any

import numpy as np

from refmaster._types import Block

# soxr's stream gives the same samples however it is fed, so no re-blocking is needed here.
QUALITY = "VHQ"


class Resampler:
    """Converts the sample rate; frame n of the output stands at the time of frame n * in / out.

    Parameters
    ----------
    input_rate_hz, output_rate_hz : int
    channels : int

    Notes
    -----
    The total length is ``round(frames * output / input)``: what soxr delivers beyond is cut, what it lacks
    is silence.
    """

    def __init__(self, input_rate_hz: int, output_rate_hz: int, channels: int) -> None:
        self._rates = (input_rate_hz, output_rate_hz)
        self._channels = channels
        self._stream: Any = None
        self._taken = 0
        self._given = 0
        self._dtype: np.dtype[np.floating] = np.dtype(np.float32)

    def push(self, block: Block) -> Block:
        """Take a block of shape (frames, channels) and return what is ready."""
        self._dtype = block.dtype
        self._taken += len(block)
        return self._convert(block, last=False)

    def flush(self) -> Block:
        """Return the rest."""
        tail = self._convert(np.empty((0, self._channels), dtype=self._dtype), last=True)
        total = round(self._taken * self._rates[1] / self._rates[0])
        missing = total - self._given
        if missing > 0:
            tail = np.concatenate([tail, np.zeros((missing, self._channels), dtype=tail.dtype)])
        return tail

    def _convert(self, block: Block, *, last: bool) -> Block:
        import soxr

        if self._stream is None:
            self._stream = soxr.ResampleStream(
                *self._rates, self._channels, dtype=str(self._dtype), quality=QUALITY
            )
        converted: Block = self._stream.resample_chunk(np.ascontiguousarray(block), last=last)
        if converted.ndim == 1:
            converted = converted[:, None]
        total = round(self._taken * self._rates[1] / self._rates[0])
        if last:
            converted = converted[: max(0, total - self._given)]
        self._given += len(converted)
        return converted
