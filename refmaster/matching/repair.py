"""Derive the repair of a mix from what its profile says of its faults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from refmaster.profile.faults import Faults
from refmaster.profile.model import Profile
from refmaster.settings.repair import MAX_CLICK_FRAMES, ClickRow, ClipRow, Repair, RepairSettings
from refmaster.units import amplitude_to_db

# The mean of a clean mix is far below, of -60 dBFS.
NOTABLE_DC = 0.001
# Silence of at most so much stays; of longer ones the margin.
LONG_HEAD_S, HEAD_MARGIN_S = 0.5, 0.1
LONG_TAIL_S, TAIL_MARGIN_S = 2.0, 0.5


class _Part(NamedTuple):
    """A part of the repair: values of its fields, and what is to be said."""

    values: dict[str, Any]
    why: str


def derive_repair(mix: Profile, asked: RepairSettings) -> Repair:
    """Return what of the repairs that are asked for a mix needs.

    Parameters
    ----------
    mix : Profile
        Measured with its faults.
    asked : RepairSettings
        Each repair is off unless it is asked for.

    Returns
    -------
    Repair
        At rest where nothing is asked for or needed; `why` says for each that is asked what it finds.

    Raises
    ------
    ValueError
        Faults were not looked for, and a repair that needs them is asked for.
    """
    parts = []
    if asked.clicks:
        parts.append(_clicks(_faults(mix)))
    if asked.overs:
        parts.append(_overs(_faults(mix)))
    if asked.dc:
        parts.append(_dc(mix.stereo.dc))
    if asked.trim:
        parts.append(_trim(_faults(mix), mix.source.frames, mix.source.sample_rate_hz))
    if asked.fade_in_s or asked.fade_out_s:
        faded = [(asked.fade_in_s, "in"), (asked.fade_out_s, "out")]
        why = "faded " + " and ".join(f"{how} over {s:g} s" for s, how in faded if s)
        parts.append(_Part({"fade_in_s": asked.fade_in_s, "fade_out_s": asked.fade_out_s}, why))
    values = {name: value for part in parts for name, value in part.values.items()}
    return Repair(why="; ".join(part.why for part in parts), **values)


def _faults(mix: Profile) -> Faults:
    if mix.faults is None:
        raise ValueError("expected a profile with faults: measure(mix, faults=True)")
    return mix.faults


def clicks_left_alone(faults: Faults) -> int:
    """Return how many clicks are found and not filled: those that are too long, or beyond the list."""
    beyond_list = faults.clicks.count - len(faults.clicks.rows)
    return beyond_list + sum(frames > MAX_CLICK_FRAMES for _, frames, _ in _joined_clicks(faults))


def _joined_clicks(faults: Faults) -> list[ClickRow]:
    """Return the clicks by time, those of a channel that touch as one."""
    joined: dict[int, list[tuple[int, int]]] = {}
    for start, frames, channel, _ in faults.clicks.rows:
        spans = joined.setdefault(channel, [])
        first = spans.pop()[0] if spans and start <= spans[-1][1] else start
        spans.append((first, start + frames))
    return sorted((start, end - start, channel) for channel, spans in joined.items() for start, end in spans)


def _clicks(faults: Faults) -> _Part:
    rows = [row for row in _joined_clicks(faults) if row[1] <= MAX_CLICK_FRAMES]
    if not rows:
        return _Part({}, "clicks: none that can be filled" if faults.clicks.count else "clicks: none found")
    clicks = "1 click is" if len(rows) == 1 else f"{len(rows)} clicks are"
    return _Part({"clicks": tuple(rows)}, f"{clicks} filled from the sound around")


def _overs(faults: Faults) -> _Part:
    found = faults.repairable.cut
    rows: list[ClipRow] = [(cut.channel, cut.level) for cut in found]
    tops = sum(cut.tops - cut.long_tops for cut in found)
    if not tops:
        return _Part({}, "overs: no short clipped tops found")
    levels = sorted({round(float(amplitude_to_db(abs(level))), 1) + 0.0 for _, level in rows})
    where = " and ".join(
        f"{level:.1f}" for level in (levels if len(levels) < 3 else levels[:: len(levels) - 1])
    )
    return _Part(
        {"overs": tuple(rows)}, f"{tops} tops clipped at {where} dBFS are restored, and shorter ones there"
    )


def _dc(dc: Sequence[float]) -> _Part:
    if max(map(abs, dc)) < NOTABLE_DC:
        return _Part({}, f"DC: none to speak of ({max(map(abs, dc)):.5f})")
    shown = ", ".join(f"{offset:+.4f}" for offset in dc)
    return _Part({"dc": tuple(dc)}, f"a constant offset of {shown} is subtracted; one that drifts would stay")


def _trim(faults: Faults, frames: int, sample_rate_hz: int) -> _Part:
    found, values = faults.repairable, dict[str, Any]()
    head_s = found.heard_from_frame / sample_rate_hz
    tail_s = (frames - found.heard_to_frame) / sample_rate_hz
    if found.heard_to_frame and head_s > LONG_HEAD_S:
        values["start_frame"] = found.heard_from_frame - round(HEAD_MARGIN_S * sample_rate_hz)
    if found.heard_to_frame and tail_s > LONG_TAIL_S:
        values["end_frame"] = found.heard_to_frame + round(TAIL_MARGIN_S * sample_rate_hz)
    if not values:
        return _Part({}, f"trim: nothing to cut ({head_s:.2f} s of silence before, {tail_s:.2f} s after)")
    cut = [
        (head_s - HEAD_MARGIN_S, "before the music", "start_frame"),
        (tail_s - TAIL_MARGIN_S, "after it", "end_frame"),
    ]
    said = " and ".join(f"{seconds:.2f} s {where}" for seconds, where, key in cut if key in values)
    return _Part(values, f"silence is cut: {said}")
