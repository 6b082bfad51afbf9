"""Source and plan in, blocks of the master out. Decides nothing: every number comes from the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from refmaster._types import Array, Array32, Block
from refmaster.dsp.blocks import through
from refmaster.dsp.curves import Points, combined_points, with_mono_below, with_moves
from refmaster.dsp.dynamics import BandActivity, DynamicsProcessor
from refmaster.dsp.fir import FilterBanks, FirEqualizer, design_linear_phase, design_minimum_phase
from refmaster.dsp.limiter import Limiter, LimiterActivity
from refmaster.dsp.resample import Resampler
from refmaster.dsp.sections import BankSpan, SectionEqualizer
from refmaster.errors import AudioError
from refmaster.io.source import AudioFormat, AudioSource
from refmaster.meters.kweighting import KWeightedPower
from refmaster.plan import MasteringPlan
from refmaster.settings.limiter import LimiterSettings
from refmaster.settings.sections import SectionKind, Sections
from refmaster.threads import prefetched
from refmaster.units import db_to_amplitude

KEPT_BYTES = 96 << 20  # 4:45 of stereo at 44.1 kHz


class KeptBlocks:
    """Keep the equalised signal and its quick peaks from one pass for the next, where it is short enough.

    Parameters
    ----------
    limit_bytes : int
        The longest signal that is kept; a longer one is made anew in each pass.
    """

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._blocks: list[Block] = []
        self._made_by: object = None  # the stages of what was kept whole; None where nothing was
        self._peaks: tuple[object, Sequence[Array32]] = (None, ())
        self._activity: tuple[object, tuple[BandActivity, ...]] = (None, ())

    def has_room_for(self, samples: int) -> bool:
        """Whether so many samples in float32 are kept."""
        return 4 * samples <= self._limit_bytes

    def keep_peaks(self, stages: object, peaks: Sequence[Array32]) -> None:
        """Keep the quick peaks of the signal that `stages` make."""
        self._peaks = stages, peaks

    def peaks_of(self, stages: object) -> Sequence[Array32] | None:
        """Return the quick peaks of the signal that `stages` make, None where they are not known."""
        return self._peaks[1] if self._peaks[0] == stages else None

    def keep_activity(self, stages: object, activity: tuple[BandActivity, ...]) -> None:
        """Keep what the dynamics stage did to the signal that `stages` make."""
        self._activity = stages, activity

    def activity_of(self, stages: object) -> tuple[BandActivity, ...]:
        """Return what the dynamics stage did to the signal that `stages` make; nothing where it is off."""
        return self._activity[1] if self._activity[0] == stages else ()

    def through(self, stages: object, make: Callable[[], Iterator[Block]]) -> Iterator[Block]:
        """Yield what `make` yields, from memory where `stages` are those of the pass that was kept."""
        if self._made_by is not None and self._made_by == stages:
            yield from self._blocks
            return
        self._made_by, self._blocks = None, []
        left = self._limit_bytes
        for block in make():
            left -= block.nbytes
            if left >= 0:
                block.flags.writeable = False  # it will be needed as it is
                self._blocks.append(block)
            elif self._blocks:
                self._blocks = []
            yield block
        self._made_by = stages if left >= 0 else None


class Renderer:
    """Renders one plan over one source.

    Parameters
    ----------
    plan : MasteringPlan
    source : AudioSource
        Its sample rate and channel count must be those the plan was made for.
    kept : KeptBlocks, optional
        Shared by renderers of one source: equalises once for plans that equalise alike.

    Raises
    ------
    AudioError
        The source's format is not the plan's.
    """

    def __init__(self, plan: MasteringPlan, source: AudioSource, kept: KeptBlocks | None = None) -> None:
        _require_format(plan, source)
        self.plan = plan
        self.source = source
        self._kept = kept or KeptBlocks(limit_bytes=0)
        self._limiter: Limiter | None = None

    @property
    def stages(self) -> object:
        """The part of the plan that the signal entering the level stage depends on."""
        plan = self.plan
        return plan.tone, plan.sections, plan.balance, plan.dynamics, plan.output.sample_rate_hz

    @property
    def activity(self) -> LimiterActivity | None:
        """The limiter's gain reduction in the last complete render; None where it is off."""
        return self._limiter.activity if self._limiter else None

    @property
    def dynamics_activity(self) -> tuple[BandActivity, ...]:
        """Changes of each band of the dynamics stage in the last complete pass; empty where it is off."""
        return self._kept.activity_of(self.stages)

    def equalized_blocks(self) -> Iterator[Block]:
        """Yield the blocks that enter the level stage, at the output sample rate."""
        return self._kept.through(self.stages, self._equalize)

    def _equalize(self) -> Iterator[Block]:
        plan = self.plan
        blocks = self.source.blocks()
        rate, channels = self.source.format.sample_rate_hz, self.source.format.channels
        if plan.output.sample_rate_hz != rate:
            blocks = through(Resampler(rate, plan.output.sample_rate_hz, channels), blocks)
        equalizer = self._equalizer(channels)
        if equalizer is not None:
            blocks = through(equalizer, blocks)
        if plan.balance.left_over_right_db != 0.0 and channels == 2:
            half = plan.balance.left_over_right_db / 2.0
            gains = db_to_amplitude(half), db_to_amplitude(-half)
            blocks = (_balanced(block, gains) for block in blocks)
        if plan.dynamics.is_at_rest:
            yield from blocks
            return
        bands, rate = plan.dynamics.bands, plan.output.sample_rate_hz
        power = KWeightedPower(rate, channels)
        processor = DynamicsProcessor(
            rate, channels, bands, plan.dynamics.crossover_hz, weighted_sums=power.second
        )
        yield from through(processor, blocks)
        self._kept.keep_activity(self.stages, processor.activity)

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of the master, before word-length reduction."""
        plan, channels = self.plan, self.source.format.channels
        blocks = self.equalized_blocks()
        if plan.limiter.enabled:
            self._limiter = Limiter(
                plan.output.sample_rate_hz,
                channels,
                limiter_settings(plan),
                gain_db=plan.level.solved_db,
                peaks=self._kept.peaks_of(self.stages),
            )
            yield from prefetched(through(self._limiter, prefetched(blocks)))
            return
        gain = db_to_amplitude(plan.level.solved_db)
        for block in prefetched(blocks):
            yield block if gain == 1.0 else block * block.dtype.type(gain)

    def _equalizer(self, channels: int) -> FilterBanks | None:
        tone, sections, rate = self.plan.tone, self.plan.sections, self.plan.output.sample_rate_hz
        if tone.is_flat and sections.is_at_rest:
            return None
        design = design_linear_phase if tone.phase == "linear" else design_minimum_phase

        def designed(points: Points) -> Array:
            hz, gains = zip(*(points or ((1000.0, 0.0),)), strict=True)
            return design(hz, gains, rate)

        def bank(added: SectionKind) -> tuple[Array, Array | None]:
            mid = combined_points(tone.mid, added.mid)
            side = combined_points(tone.side, combined_points(added.mid, added.width))
            moves = (*tone.moves, *added.moves)
            mid = with_moves(mid, [move for move in moves if move.acts_on("mid")], rate / 2)
            side = with_moves(side, [move for move in moves if move.acts_on("side")], rate / 2)
            curves = [mid, with_mono_below(side, tone.mono_below_hz, rate / 2)]
            same = channels == 1 or curves[0] == curves[1]
            return designed(curves[0]), None if same else designed(curves[1])

        alone, delay_frames = bank(SectionKind(name="tone")), None if tone.phase == "linear" else 0
        if sections.is_at_rest:
            return FirEqualizer(channels, *alone, delay_frames=delay_frames)
        return SectionEqualizer(
            channels,
            [alone, *(bank(kind) for kind in sections.kinds)],
            _bank_spans(sections, rate, self.plan.repaired_frames / self.plan.mix.sample_rate_hz),
            crossfade_frames=sections.crossfade_s * rate,
            delay_frames=delay_frames,
        )


def _bank_spans(sections: Sections, sample_rate_hz: int, duration_s: float) -> list[BankSpan]:
    """Return the spans in frames, banks counted from 1.

    One that starts at 0 s or reaches the song's end is not faded there.
    """
    names = [kind.name for kind in sections.kinds]
    return [
        BankSpan(
            start * sample_rate_hz if start > 0.0 else -np.inf,
            end * sample_rate_hz if end < duration_s else np.inf,
            1 + names.index(name),
        )
        for start, end, name in sections.spans
    ]


def limiter_settings(plan: MasteringPlan) -> LimiterSettings:
    """Return the limiter's settings as its kernel takes them."""
    return LimiterSettings(**plan.limiter.model_dump(include=set(LimiterSettings.model_fields)))


def _balanced(block: Block, gains: tuple[float, float]) -> Block:
    balanced = np.empty_like(block)
    for channel, gain in enumerate(gains):  # several times faster than one product with both gains
        np.multiply(block[:, channel], block.dtype.type(gain), out=balanced[:, channel])
    return balanced


def _require_format(plan: MasteringPlan, source: AudioSource) -> None:
    found: AudioFormat = source.format
    if (found.sample_rate_hz, found.channels) != (plan.mix.sample_rate_hz, plan.mix.channels):
        raise AudioError(
            f"{source.name}: the plan was made for {plan.mix.channels} channel(s) at "
            f"{plan.mix.sample_rate_hz} Hz, found {found.channels} at {found.sample_rate_hz} Hz; "
            "derive a new plan for this file"
        )
