"""Repair: what is asked to be put right in a mix, and what a plan puts right before all other stages.

Positions are frames of the mix at its own sample rate, counted from 0; channel 0 is left. Levels are samples
with full scale 1, times s.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from refmaster.settings.document import MAX_PROBLEMS, KeyPath
from refmaster.settings.model import Model

NO_REPAIRED_STEMS = "expected none for stems, whose sum is no file; repair each of them before, or their mix"
MAX_FADE_S = 600.0
MAX_REPAIRED_CLICKS = 10_000
# Beyond this a fill is made up: clicks and pops that are longer are left alone.
MAX_CLICK_FRAMES = 128
# Of longer runs of clipped samples too little is won (`python benchmarks/declip.py`).
LONGEST_OVER_FRAMES = 64

Frame = Annotated[int, Field(ge=0, le=2**40)]
FrameCount = Annotated[int, Field(ge=1, le=2**40)]
RepairedChannel = Annotated[int, Field(ge=0, le=1)]
FadeS = Annotated[float, Field(ge=0.0, le=MAX_FADE_S)]
Offset = Annotated[float, Field(ge=-1.0, le=1.0)]
ClipLevel = Annotated[float, Field(ge=-1000.0, le=1000.0)]
ClickRow = tuple[Frame, Annotated[int, Field(ge=1, le=MAX_CLICK_FRAMES)], RepairedChannel]
"""First frame, frames, channel."""
ClipRow = tuple[RepairedChannel, ClipLevel]
"""Channel, and the level that its tops (or, below 0, its troughs) are clipped at."""


def _apart(rows: tuple[ClickRow, ...]) -> tuple[ClickRow, ...]:
    ends: dict[int, int] = {}  # by channel
    for number, (start, frames, channel) in enumerate(rows, 1):
        end = ends.get(channel, -1)
        if start <= end:
            raise ValueError(
                f"expected rows in order of time, each beyond the one before it in its channel, found row "
                f"{number} to start at {start} and the one before it in channel {channel} to reach to {end}"
            )
        ends[channel] = start + frames
    return rows


def _clipped_once(rows: tuple[ClipRow, ...]) -> tuple[ClipRow, ...]:
    sides = [(channel, level > 0.0) for channel, level in rows]
    for number, (channel, level) in enumerate(rows):
        if level == 0.0 or sides.index(sides[number]) != number:
            found = "0" if level == 0.0 else f"two of one sign for channel {channel}"
            raise ValueError(
                f"expected for each channel at most a level above 0 (tops) and one below 0 (troughs), found "
                f"{found}"
            )
    return rows


class RepairSettings(Model):
    """The repairs that are asked for; what a mix does not need is left alone."""

    dc: bool = Field(default=False, description="remove a constant offset")
    clicks: bool = Field(default=False, description="fill clicks and pops from the sound around them")
    overs: bool = Field(default=False, description="restore short clipped tops")
    trim: bool = Field(default=False, description="cut silence at head and tail")
    fade_in_s: FadeS = Field(default=0.0, description="s, 0: none")
    fade_out_s: FadeS = Field(default=0.0, description="s, 0: none")


class Repair(Model):
    """The first stage, at the mix's own sample rate: in the order of its fields."""

    why: str = ""
    clicks: Annotated[tuple[ClickRow, ...], AfterValidator(_apart)] = Field(
        default=(),
        max_length=MAX_REPAIRED_CLICKS,
        description="[first frame, frames, channel] to fill from the sound around; channel 0 is left",
    )
    overs: Annotated[tuple[ClipRow, ...], AfterValidator(_clipped_once)] = Field(
        default=(),
        description="[channel, level]: runs of samples at the level or beyond are restored beyond it",
    )
    longest_over_frames: int = Field(
        default=LONGEST_OVER_FRAMES, ge=1, le=128, description="frames; longer runs stay clipped"
    )
    dc: tuple[Offset, ...] = Field(
        default=(), max_length=2, description="subtracted from each channel, full scale 1; []: nothing"
    )
    start_frame: Frame = Field(default=0, description="first frame that is kept")
    end_frame: FrameCount | None = Field(
        default=None, description="first frame that is cut again; null: all to the end"
    )
    fade_in_s: FadeS = Field(default=0.0, description="s, raised cosine, from the first frame kept")
    fade_out_s: FadeS = Field(default=0.0, description="s, raised cosine, to the last frame kept")

    @model_validator(mode="after")
    def _some_left(self) -> Repair:
        if self.end_frame is not None and self.end_frame <= self.start_frame:
            raise ValueError(
                f"end_frame: expected more than start_frame ({self.start_frame}), found {self.end_frame}"
            )
        return self

    @property
    def is_at_rest(self) -> bool:
        """Whether the stage leaves every mix as it is."""
        return not (self.clicks or self.overs or any(self.dc) or self.is_cutting)

    @property
    def is_cutting(self) -> bool:
        """Whether head or tail are cut or faded."""
        cut = self.start_frame > 0 or self.end_frame is not None
        return cut or self.fade_in_s > 0.0 or self.fade_out_s > 0.0

    def frames_of(self, mix_frames: int) -> int:
        """Return how many frames are left of a mix of so many."""
        end = mix_frames if self.end_frame is None else min(self.end_frame, mix_frames)
        return max(0, end - self.start_frame)

    def problems_of(self, channels: int, mix_frames: int, sample_rate_hz: int) -> list[tuple[KeyPath, str]]:
        """Return what cannot be done to a mix of so many channels and frames, each with its key path."""
        problems: list[tuple[KeyPath, str]] = []

        def no_channel(channel: int) -> str:
            return f"expected a channel below {channels}, the mix's number of them, found {channel}"

        for number, (start, frames, channel) in enumerate(self.clicks):
            if channel >= channels:
                problems.append((("clicks", number), no_channel(channel)))
            elif start + frames > mix_frames:
                message = f"expected an end within the mix's {mix_frames} frames, found {start + frames}"
                problems.append((("clicks", number), message))
        for number, (channel, _) in enumerate(self.overs):
            if channel >= channels:
                problems.append((("overs", number), no_channel(channel)))
        if self.dc and len(self.dc) != channels:
            message = f"expected an offset for each of {channels} channel(s), found {len(self.dc)}"
            problems.append((("dc",), message))
        for name in ("start_frame", "end_frame"):
            found = getattr(self, name) or 0
            if found > mix_frames - (name == "start_frame"):
                message = f"expected a frame within the mix's {mix_frames}, found {found}"
                problems.append(((name,), message))
        fades_s, left_s = self.fade_in_s + self.fade_out_s, self.frames_of(mix_frames) / sample_rate_hz
        if fades_s > left_s:
            message = f"expected fades of at most {left_s:.3f} s together, the length, found {fades_s:g} s"
            problems.append((("fade_out_s" if self.fade_out_s else "fade_in_s",), message))
        return problems[:MAX_PROBLEMS]


def updated(settings: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Return settings of a match with later ones in their place; of a repair each part is one of its own."""
    repair = {**settings.get("repair", {}), **later.get("repair", {})}
    return {**settings, **later, **({"repair": repair} if repair else {})}
