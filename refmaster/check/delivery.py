"""Hold a measured file against a delivery target.

What a target requires and the file does not have is a broken promise; what a service will do with its
loudness is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from refmaster.check.findings import Finding, broken, info
from refmaster.check.vinyl import inspect_vinyl
from refmaster.io.formats import bit_depth_of, container_name
from refmaster.io.source import PCM_BITS
from refmaster.profile.model import Profile
from refmaster.settings.targets import DeliveryTarget

# The containers in which a recording may stand as it is or be coded with loss.
_EITHER_WAY = ("wav", "aiff", "flac", "caf")
# A change of level by less is hardly heard.
PLAYED_OTHERWISE_LU = 0.5


def judge_delivery(profile: Profile, target: DeliveryTarget) -> list[Finding]:
    """Return what a target asks for and a file does not have.

    Parameters
    ----------
    profile : Profile
        As measured on the file.
    target : DeliveryTarget
        As `refmaster.settings.target_files.delivery_target` finds it.
    """
    return [
        *_loudness(profile, target),
        *_peaks(profile, target),
        *_file(profile, target),
        *_content(profile, target),
        *(inspect_vinyl(profile) if target.kind == "vinyl" else []),
    ]


def _loudness(profile: Profile, target: DeliveryTarget) -> list[Finding]:
    reached, wanted = profile.levels.integrated_lufs, target.integrated_lufs
    if reached is None or wanted is None:
        return []
    off = reached - wanted
    if target.tolerance_lu is not None:
        if abs(off) <= target.tolerance_lu:
            return []
        return [
            broken(
                "target_loudness",
                f"{target.name}: expected {wanted:g} LUFS within {target.tolerance_lu:g} LU, found "
                f"{reached:.2f} LUFS ({off:+.2f} LU)",
                f"render it for that: --for {target.name}",
                value=reached,
                limit=wanted,
                unit="LUFS",
            )
        ]
    if abs(off) < PLAYED_OTHERWISE_LU:
        return []
    done = f"turned down by {off:.1f} dB" if off > 0.0 else f"turned up by {-off:.1f} dB, or left so quiet"
    return [
        info(
            "target_playback",
            f"{target.name} plays everything at {wanted:g} LUFS: this file of {reached:.2f} LUFS is {done}",
            value=reached,
            limit=wanted,
            unit="LUFS",
        )
    ]


def _peaks(profile: Profile, target: DeliveryTarget) -> list[Finding]:
    levels, findings = profile.levels, []
    limit = target.true_peak_limit_dbtp(levels.integrated_lufs)
    true_peak, sample_peak = levels.true_peak_dbtp, levels.sample_peak_dbfs
    if limit is not None and true_peak is not None and true_peak > limit:
        louder = (
            "" if limit == target.true_peak_dbtp else f" of files louder than {target.louder_than:g} LUFS"
        )
        findings.append(
            broken(
                "target_true_peak",
                f"{target.name}: expected a true peak of at most {limit:g} dBTP{louder}, found "
                f"{true_peak:.2f} dBTP",
                "limit it again at that ceiling; to turn it down helps too",
                value=true_peak,
                limit=limit,
                unit="dBTP",
            )
        )
    if (
        target.sample_peak_dbfs is not None
        and sample_peak is not None
        and sample_peak >= target.sample_peak_dbfs
    ):
        findings.append(
            broken(
                "target_sample_peak",
                f"{target.name}: expected samples below {target.sample_peak_dbfs:g} dBFS, found "
                f"{sample_peak + 0.0:.2f} dBFS",
                "turn it down, or limit it again at a lower ceiling",
                value=sample_peak,
                limit=target.sample_peak_dbfs,
                unit="dBFS",
            )
        )
    return findings


def _file(profile: Profile, target: DeliveryTarget) -> list[Finding]:
    source, findings = profile.source, []
    if target.sample_rates_hz and source.sample_rate_hz not in target.sample_rates_hz:
        findings.append(
            broken(
                "target_sample_rate",
                f"{target.name}: expected {_listed(target.sample_rates_hz)} Hz, found "
                f"{source.sample_rate_hz} Hz",
                "render it at that rate: resampling a limited master raises its peaks",
                value=float(source.sample_rate_hz),
                limit=float(target.sample_rates_hz[0]),
                unit="Hz",
            )
        )
    container = container_name(source.container, source.subtype)
    if container not in target.containers:
        findings.append(
            broken(
                "target_container",
                f"{target.name}: expected {_listed(target.containers)}, found {container} ({source.subtype})",
            )
        )
    elif source.lossy and container in _EITHER_WAY:
        findings.append(
            broken(
                "target_codec",
                f"{target.name}: expected plain samples (PCM), found {source.subtype}, which is lossy",
                "deliver the master that this was made from",
            )
        )
    depth = bit_depth_of(source.subtype)
    has_word_length = source.subtype in PCM_BITS
    if target.bit_depths and has_word_length and depth not in target.bit_depths:
        findings.append(
            broken(
                "target_bit_depth",
                f"{target.name}: expected {_listed(target.bit_depths)} bit, found {depth or source.subtype}",
                "render it at that word length: it is dithered there",
            )
        )
    return findings


def _content(profile: Profile, target: DeliveryTarget) -> list[Finding]:
    source, findings = profile.source, []
    if source.channels not in target.channels:
        names = {1: "mono", 2: "stereo"}
        findings.append(
            broken(
                "target_channels",
                f"{target.name}: expected {_listed([names[n] for n in target.channels])}, found "
                f"{names.get(source.channels, f'{source.channels} channels')}",
                value=float(source.channels),
                limit=float(target.channels[0]),
                unit="channels",
            )
        )
    if target.max_duration_s is not None and source.duration_s > target.max_duration_s:
        findings.append(
            broken(
                "target_duration",
                f"{target.name}: expected at most {target.max_duration_s / 60:.1f} min, found "
                f"{source.duration_s / 60:.1f} min",
                "divide it",
                value=source.duration_s,
                limit=target.max_duration_s,
                unit="s",
            )
        )
    return findings


def _listed(values: Sequence[object]) -> str:
    """Return alternatives in words: ``wav, flac or aiff``."""
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last
