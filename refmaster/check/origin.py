"""Findings on where a file comes from: a lossy codec, a lower sample rate, a shorter word length."""

from __future__ import annotations

from refmaster.check.findings import Finding, info, warning
from refmaster.io.source import PCM_BITS
from refmaster.profile.faults import Origin
from refmaster.profile.model import Profile

# Set by hand: in benchmarks/origin.py lossless recordings reach 6.7, and lossy ones begin at 7.8.
FRAMES_PROMINENT_FROM = 7.0
# A file that holds no more than the next of these rates could is told. Low-passes and codecs like 16 kHz too,
# and converters from 32 kHz end just below.
_USUAL_RATES_HZ = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
_CLEARLY_LOWER = 0.75
_OFTEN_CUT_HZ, _BELOW_OFTEN_CUT = 16000.0, 0.985
_CODEC_NAMES = {"mp3": "an MP3", "aac": "an AAC", "vorbis": "an Ogg Vorbis", "opus": "an Opus"}


def inspect_origin(profile: Profile, role: str) -> list[Finding]:
    """Return the findings on where a recording's file comes from; `role` is ``mix`` or ``reference``."""
    if profile.faults is None:
        return []
    subject = role if role == "mix" else f"{role} {profile.name}"
    origin = profile.faults.origin
    return [
        *_lossy_origin(profile, origin, subject),
        *_upsampled(profile, origin, subject),
        *_padded_bits(profile, origin, subject),
    ]


def _lossy_origin(profile: Profile, origin: Origin, subject: str) -> list[Finding]:
    """Return the finding on a lossless file decoded from a lossy one; a lossy file says so itself."""
    if profile.source.lossy or origin.codec is None or origin.frame_prominence < FRAMES_PROMINENT_FROM:
        return []
    return [
        warning(
            "lossy_origin",
            f"the {subject} is stored without loss, but looks decoded from {_CODEC_NAMES[origin.codec]} "
            "file: it has gaps exactly where that codec leaves them",
            "use the recording that it was made from, if you can; what a codec left out does not come back",
            value=origin.frame_prominence,
            limit=FRAMES_PROMINENT_FROM,
            unit="standard deviations",
            band_hz=None if origin.searched_to_hz is None else (0.0, origin.searched_to_hz),
        )
    ]


def _upsampled(profile: Profile, origin: Origin, subject: str) -> list[Finding]:
    """Return the finding on a recording that fills only the lower part of what its sample rate can hold."""
    rate_hz = profile.source.sample_rate_hz
    limit_hz = narrow_below_hz(rate_hz)
    if origin.bandwidth_hz is None or origin.bandwidth_hz > limit_hz:
        return []
    return [
        warning(
            "upsampled",
            f"the {subject} has a sample rate of {rate_hz / 1000:g} kHz, but ends abruptly at "
            f"{origin.bandwidth_hz / 1000:.1f} kHz with nothing above: it looks converted from a lower "
            "sample rate, or low-passed",
            "ask for the file at the rate that it was made at; a higher rate adds nothing to it",
            value=origin.bandwidth_hz,
            limit=limit_hz,
            unit="Hz",
            band_hz=(origin.bandwidth_hz, rate_hz / 2),
        )
    ]


def narrow_below_hz(sample_rate_hz: int) -> float:
    """Return up to where the spectrum of a file looks converted from a lower rate; 0 where none is lower."""
    lower = max((rate for rate in _USUAL_RATES_HZ if rate <= _CLEARLY_LOWER * sample_rate_hz), default=0) / 2
    return _BELOW_OFTEN_CUT * lower if lower == _OFTEN_CUT_HZ else lower


def _padded_bits(profile: Profile, origin: Origin, subject: str) -> list[Finding]:
    """Return the finding on a file with longer words than its samples need."""
    source, used = profile.source, origin.used_bits
    stored = PCM_BITS.get(source.subtype)
    if source.container == "ARRAY" or stored is None or used is None or used >= stored:
        return []
    kind = "-bit float" if source.subtype in ("FLOAT", "DOUBLE") else "-bit"
    if kind == "-bit float" and used >= 24:
        return []  # 32-bit float is the usual way to hand on 24 bits
    return [
        info(
            "padded_bits",
            f"the {subject} is a {stored}{kind} file, but every sample fits into {used} bits: it looks "
            "rounded before it was stored",
            f"export it again at {min(stored, 24)} bits from the session, before it is rounded to {used}",
            value=float(used),
            limit=float(stored),
            unit="bits",
        )
    ]
