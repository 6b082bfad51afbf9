"""Meters of a stream of blocks.

Every meter takes ``(frames, channels)`` blocks by ``update`` and gives a frozen dataclass by ``result``.
Results do not depend on how the stream was cut into blocks. Samples must be finite: sources check that.
"""
