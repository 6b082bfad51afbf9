"""The container and coding of an output file, chosen from its suffix, the mix's format and the settings.

The master keeps the mix's container and word length where its suffix is of the same kind. Another suffix
gives that container, with the word length kept as far as the container can hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from refmaster.errors import OutputError
from refmaster.io.aac import require_encoder
from refmaster.io.source import PCM_BITS, AudioFormat
from refmaster.io.suffixes import AUDIO_SUFFIXES, CONTAINERS
from refmaster.settings.codecs import Codec
from refmaster.settings.output import BitDepth

_LOSSY = {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS", "OPUS": "OPUS", "M4A": "AAC"}
_OF_CODEC = {"mp3": "MP3", "vorbis": "OGG", "opus": "OPUS", "aac": "M4A"}
_WIDE = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_LOSSLESS: dict[str, tuple[str, ...]] = {
    "WAV": ("PCM_U8", *_WIDE),
    "WAVEX": ("PCM_U8", *_WIDE),
    "RF64": ("PCM_U8", *_WIDE),
    "W64": ("PCM_U8", *_WIDE),
    "AIFF": ("PCM_S8", *_WIDE),
    "CAF": ("PCM_S8", *_WIDE, "ALAC_16", "ALAC_24", "ALAC_32"),
    "FLAC": ("PCM_S8", "PCM_16", "PCM_24"),
}
_MAX_CHANNELS = {"FLAC": 8, "MP3": 2, "OGG": 255, "OPUS": 8, "M4A": 2}
_RATES_HZ = {
    "MP3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
    "OPUS": (8000, 12000, 16000, 24000, 48000),
    "M4A": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
}
_MAX_RATE_HZ = {"FLAC": 655350, "OGG": 200000}
_DEPTH_SUBTYPES: dict[BitDepth, str] = {"16": "PCM_16", "24": "PCM_24", "32f": "FLOAT", "64f": "DOUBLE"}
_DEPTHS: dict[str, BitDepth] = {subtype: depth for depth, subtype in _DEPTH_SUBTYPES.items()}


@dataclass(frozen=True, kw_only=True)
class OutputFormat:
    """The format of a file to write.

    Attributes
    ----------
    container : str
        "WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "FLAC", "MP3", "OGG" or "M4A".
    subtype : str
        libsndfile's name of the coding, "PCM_24" for instance.
    sample_rate_hz, channels : int
        Of the audio.
    dither : bool
        Whether words of less than 32 bits are dithered. Switch it off to copy samples bit for bit.
    dither_seed : int
        Seed of the dither: the same seed gives the same bytes.
    channel_mask : int or None
        Speaker positions of WAVEX and RF64 files; None for the usual ones.
    codec : Codec or None
        The rate of a lossy coding; None for the one that masters are written with.
    """

    container: str
    subtype: str
    sample_rate_hz: int
    channels: int
    dither: bool
    dither_seed: int
    channel_mask: int | None = None
    codec: Codec | None = None

    @property
    def integer_bits(self) -> int | None:
        """Word length of integer codings; None for floats and lossy codings."""
        return _integer_bits(self.subtype)

    @property
    def lossy(self) -> bool:
        """Whether the coding loses information beyond the word length."""
        return self.subtype in _LOSSY.values()


def output_format_for(
    path: str | Path,
    source_format: AudioFormat,
    *,
    bit_depth: BitDepth | None = None,
    sample_rate_hz: int | None = None,
    dither_seed: int = 0,
) -> OutputFormat:
    """Choose the format of the file to write at `path`.

    Parameters
    ----------
    path : str or Path
        The destination; its suffix names the container.
    source_format : AudioFormat
        Of the mix, whose container and word length are kept if possible.
    bit_depth : {"16", "24", "32f", "64f"}, optional
        Overrides the source's word length.
    sample_rate_hz : int, optional
        Overrides the source's sample rate.
    dither_seed : int
        Seed of the dither.

    Raises
    ------
    OutputError
        If the suffix is unknown, or the container cannot hold the depth, the rate or the channels.
    """
    path = Path(path)
    kind = CONTAINERS.get(path.suffix.lower())
    if kind is None:
        raise OutputError(_unsupported(path))
    rate = source_format.sample_rate_hz if sample_rate_hz is None else sample_rate_hz
    if kind == "WAV" and source_format.container in ("WAVEX", "RF64"):
        kind = source_format.container
    if kind in _LOSSY:
        if bit_depth is not None:
            raise OutputError(f"{path}: {kind} has no bit depth, but {bit_depth} was asked for; leave it out")
        subtype = _LOSSY[kind]
        if kind == "M4A":
            require_encoder(str(path))
        if kind == "OGG" and source_format.subtype == "OPUS":
            kind, subtype = "OPUS", "OPUS"
    else:
        subtype = _lossless_subtype(path, kind, source_format, bit_depth)
    _check_limits(path, kind, subtype, rate, source_format.channels)
    return OutputFormat(
        container="OGG" if kind == "OPUS" else kind,
        subtype=subtype,
        sample_rate_hz=rate,
        channels=source_format.channels,
        dither=(_integer_bits(subtype) or 32) < 32,
        dither_seed=dither_seed,
        channel_mask=source_format.channel_mask,
    )


def codec_format(codec: Codec, sample_rate_hz: int, channels: int) -> OutputFormat:
    """Return the format of a file that is encoded by a codec."""
    kind = _OF_CODEC[codec.name]
    return OutputFormat(
        container="OGG" if kind == "OPUS" else kind,
        subtype=_LOSSY[kind],
        sample_rate_hz=sample_rate_hz,
        channels=channels,
        dither=False,
        dither_seed=0,
        codec=codec,
    )


def bit_depth_of(subtype: str) -> BitDepth | None:
    """Return the word length of a coding as it is asked for; None of one that is not asked for."""
    return _DEPTHS.get(subtype)


def container_name(container: str, subtype: str) -> str:
    """Return a container as delivery targets name it, from libsndfile's name and that of the coding."""
    if container in ("WAVEX", "RF64"):
        return "wav"
    if subtype == "OPUS":
        return "opus"
    if container == "FFMPEG" and subtype in ("aac", "alac"):
        return "m4a"
    return container.lower()


def _integer_bits(subtype: str) -> int | None:
    return None if subtype in ("FLOAT", "DOUBLE") else PCM_BITS.get(subtype)


def _lossless_subtype(path: Path, kind: str, source: AudioFormat, bit_depth: BitDepth | None) -> str:
    possible = _LOSSLESS[kind]
    if bit_depth is not None:
        wanted = _DEPTH_SUBTYPES[bit_depth]
        alac = f"ALAC_{bit_depth}"
        if source.subtype.startswith("ALAC") and alac in possible:
            return alac
        if wanted not in possible:
            raise OutputError(f"{path}: {kind} cannot hold {bit_depth}; use 16 or 24, or write a .wav file")
        return wanted
    if source.subtype in possible:
        return source.subtype
    if source.subtype == "ALAC_20" and kind == "CAF":
        return "ALAC_24"  # libsndfile does not get back what it writes as ALAC_20
    if source.lossy or source.bits is None:
        return "PCM_24"  # a lossy source decodes to floats; 24 bits keep all that is in it
    if source.subtype in ("FLOAT", "DOUBLE") or source.subtype.startswith("pcm_f"):
        wanted = "DOUBLE" if source.bits == 64 else "FLOAT"
        return wanted if wanted in possible else "PCM_24"
    if source.bits <= 8:
        return next(name for name in possible if name in ("PCM_U8", "PCM_S8"))
    if source.bits <= 16:
        return "PCM_16"
    return "PCM_24" if source.bits <= 24 or "PCM_32" not in possible else "PCM_32"


def _check_limits(path: Path, kind: str, subtype: str, rate: int, channels: int) -> None:
    most = 8 if subtype.startswith("ALAC") else _MAX_CHANNELS.get(kind, 1024)
    if channels > most:
        raise OutputError(f"{path}: {kind} holds at most {most} channels, the mix has {channels}; write .wav")
    rates = _RATES_HZ.get(kind)
    if rates is not None and rate not in rates:
        listed = ", ".join(str(known) for known in rates)
        nearest = min((known for known in rates if known >= rate), default=rates[-1])
        raise OutputError(
            f"{path}: {kind} can be written at {listed} Hz, not at {rate} Hz; convert with "
            f"sample_rate_hz={nearest} or write .flac or .wav"
        )
    if rate > _MAX_RATE_HZ.get(kind, 2**31 - 1):
        raise OutputError(
            f"{path}: {kind} can be written up to {_MAX_RATE_HZ[kind]} Hz, not at {rate} Hz; write .wav"
        )


def _unsupported(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in AUDIO_SUFFIXES:
        found = f"{suffix} files can be read but not written; write .wav or .flac and convert that"
    elif suffix:
        found = f"{suffix} is not a supported output format"
    else:
        found = "the name has no extension, such as .wav, to say the format"
    return f"{path}: {found}. Supported: {', '.join(CONTAINERS)}"
