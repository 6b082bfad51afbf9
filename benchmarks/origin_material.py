"""Recordings whose origin is known: lossless ones of many kinds, and the same through lossy codecs.

True lossless music is scarce, so it is made, in two ways:

- Music played 2.2 times as fast: what was 0 to 10 kHz fills the band, and no frame of the codec that the
  folder's file came from fits any more. The ratio of the speeds is no simple fraction.
- Synthesis: plucked strings, drums, bells, pads, square waves, a voice, noise.

Both are then left as they are, darkened, cut off steeply as a codec does, resampled, or mastered, and stored
as 16 or 24 bit.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float64]
RATE_HZ = 44100
PIECE_S = 12
SPEED = 2.2 * np.pi / 3.1
LOSSY: tuple[tuple[str, float], ...] = (
    *(("mp3", kbps) for kbps in (128, 192, 256, 320)),
    *(("vorbis", q) for q in range(3, 9)),
    *(("opus", kbps) for kbps in (96, 128, 160)),
    *(("aac", kbps) for kbps in (128, 192, 256)),
)
_OPUS_RATE_HZ = 48000


def music_files(folder: Path) -> list[Path]:
    """Return the recordings of a folder, stems left out."""
    files = sorted(f for f in folder.iterdir() if f.suffix in {".flac", ".ogg", ".mp3", ".wav"})
    return [f for f in files if "_stem_" not in f.name]


def fast_music(path: Path) -> Samples:
    """Return the middle of a recording, `SPEED` times as fast, at `RATE_HZ`."""
    samples, rate = sf.read(path, dtype="float64", always_2d=True)
    length = int(PIECE_S * SPEED * rate)
    start = max(0, (len(samples) - length) // 2)
    fast = soxr.resample(samples[start : start + length], rate * SPEED, RATE_HZ, quality="VHQ")
    return 0.7 * fast / np.abs(fast).max()


def variants(samples: Samples, number: int) -> dict[str, tuple[Samples, int]]:
    """Return a lossless recording in its ways, each with its sample rate; `number` varies their corners."""
    corner = (15000.0, 16000.0, 16500.0, 17000.0, 18000.0, 19000.0, 20000.0)[number % 7]
    up = soxr.resample(samples, RATE_HZ, 48000, quality="VHQ")
    return {
        "as it is": (samples, RATE_HZ),
        "dark": (_filtered(samples, lambda hz: 1.0 / (1.0 + (hz / 2500.0) ** 2)), RATE_HZ),
        "steep low-pass": (_filtered(samples, lambda hz: _shelf(hz, corner, 150.0)), RATE_HZ),
        "cut to nothing": (_filtered(samples, lambda hz: (hz < corner) * 1.0), RATE_HZ),
        "48 kHz": (up, 48000),
        "48 to 44.1 kHz": (soxr.resample(up * 0.9, 48000, RATE_HZ, quality="HQ"), RATE_HZ),
        "mastered": (mastered(samples, number, RATE_HZ), RATE_HZ),
        "old record": (_old(samples, number), RATE_HZ),
    }


def _shelf(hz: Samples, corner_hz: float, width_hz: float) -> Samples:
    """Return a fall of 90 dB within `width_hz`."""
    return 10 ** (-4.5 * np.clip((hz - corner_hz) / width_hz, 0.0, 1.0))


def _filtered(samples: Samples, gain: Callable[[Samples], Samples]) -> Samples:
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    spectrum = np.fft.rfft(samples, axis=0) * gain(hz)[:, np.newaxis]
    return np.fft.irfft(spectrum, len(samples), axis=0)


def mastered(samples: Samples, number: int, rate_hz: int) -> Samples:
    """Return a recording equalized, compressed and limited, as a mastering chain does."""
    from pedalboard import Compressor, HighShelfFilter, Limiter, LowShelfFilter, PeakFilter, Pedalboard

    tilt = -3.0 + number % 7
    chain = Pedalboard(
        [
            LowShelfFilter(120.0, 1.5),
            PeakFilter(400.0 + 100.0 * (number % 5), -2.0, 0.8),
            HighShelfFilter(6000.0, tilt),
            Compressor(-18.0, 2.0, 20.0, 150.0),
            Limiter(-4.0, 80.0),
        ]
    )
    return np.asarray(chain(samples.T.astype(np.float32), rate_hz).T, dtype=np.float64)


def _old(samples: Samples, number: int) -> Samples:
    """Return a transfer of an old record: no treble, hiss, and a low-pass in the transfer."""
    hiss = 0.002 * np.random.default_rng(number).standard_normal(samples.shape)
    dull = _filtered(samples, lambda hz: 1.0 / (1.0 + (hz / 5000.0) ** 4))
    return _filtered(dull + hiss, lambda hz: _shelf(hz, 17500.0, 800.0))


def _time(seconds: float = PIECE_S) -> Samples:
    return np.arange(int(seconds * RATE_HZ)) / RATE_HZ


def _place(out: Samples, at_s: float, note: Samples, pan: float) -> None:
    start = int(at_s * RATE_HZ)
    note = note[: max(0, len(out) - start)]
    out[start : start + len(note), 0] += note * np.cos(pan * np.pi / 2)
    out[start : start + len(note), 1] += note * np.sin(pan * np.pi / 2)


def _room(dry: Samples, rng: np.random.Generator, seconds: float = 0.8, wet: float = 0.15) -> Samples:
    """Return a signal in a room: decaying noise of each ear's own."""
    t = _time(seconds)
    tail = rng.standard_normal((len(t), 2)) * np.exp(-6.9 * t / seconds)[:, np.newaxis]
    size = len(dry) + len(tail)
    echo = np.fft.irfft(np.fft.rfft(dry, size, axis=0) * np.fft.rfft(tail, size, axis=0), size, axis=0)
    return dry + wet * echo[: len(dry)] / np.sqrt(len(t))


def _scale(rng: np.random.Generator, low: int = 40, high: int = 76) -> float:
    note = rng.integers(low, high) // 12 * 12 + rng.choice([0, 2, 4, 7, 9])
    return float(440.0 * 2.0 ** ((note - 69) / 12))


def _decay(seconds: float, t60_s: float) -> Samples:
    return np.exp(-6.9 * _time(seconds) / t60_s)


def _plucked(rng: np.random.Generator) -> Samples:
    out = np.zeros((len(_time()), 2))
    for beat in np.arange(0.0, PIECE_S, 0.25):
        period = RATE_HZ / _scale(rng)
        length = int(1.5 * RATE_HZ)
        hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
        burst = np.zeros(length)
        burst[: int(period)] = rng.uniform(-1, 1, int(period))
        delay = np.exp(-2j * np.pi * hz * period / RATE_HZ) * 0.995 * np.cos(np.pi * hz / RATE_HZ) ** 0.5
        _place(out, beat, np.fft.irfft(np.fft.rfft(burst) / (1 - delay), length), rng.uniform(0.2, 0.8))
    return _room(out, rng)


def _drums(rng: np.random.Generator) -> Samples:
    out = np.zeros((len(_time()), 2))
    t = _time(0.5)
    for step in range(int(PIECE_S / 0.125)):
        at = 0.125 * step
        if step % 4 == 0:
            _place(out, at, np.sin(2 * np.pi * (50 * t + 6 * (1 - np.exp(-t * 30)))) * _decay(0.5, 0.4), 0.5)
        if step % 8 == 4:
            _place(out, at, 0.5 * rng.standard_normal(len(t)) * _decay(0.5, 0.2), 0.45)
        hat = np.diff(rng.standard_normal(len(t) + 1)) * _decay(0.5, 0.4 if step % 8 == 6 else 0.06)
        _place(out, at, 0.15 * hat, 0.65)
    return _room(out, rng, 0.3)


def _bells(rng: np.random.Generator) -> Samples:
    out = np.zeros((len(_time()), 2))
    t = _time(3.0)
    for beat in np.arange(0.0, PIECE_S, 0.5):
        f = _scale(rng, 60, 90)
        index = 6.0 * _decay(3.0, 1.5)
        note = np.sin(2 * np.pi * f * t + index * np.sin(2 * np.pi * 3.51 * f * t)) * _decay(3.0, 2.5)
        _place(out, beat, note, rng.uniform(0.0, 1.0))
    return _room(out, rng, 1.5)


def _pad(rng: np.random.Generator) -> Samples:
    t = _time()
    out = np.zeros((len(t), 2))
    for side in range(2):
        for _ in range(14):
            f = _scale(rng, 40, 64) * 2 ** rng.normal(0, 0.003)
            for harmonic in range(1, int(20000 / f)):
                swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.1 * t + harmonic * 0.01)
                if harmonic % 3 == 0:
                    out[:, side] += (
                        np.sin(2 * np.pi * f * harmonic * t + rng.uniform(0, 6)) * swell / harmonic
                    )
    return out


def _squares(rng: np.random.Generator) -> Samples:
    t = _time(0.125)
    out = np.zeros((len(_time()), 2))
    for beat in np.arange(0.0, PIECE_S - 0.2, 0.125):
        _place(out, beat, np.sign(np.sin(2 * np.pi * _scale(rng, 60, 84) * t)), 0.3)
        _place(out, beat, np.where((t * _scale(rng, 48, 60)) % 1 < 0.25, 1.0, -1.0), 0.7)
        _place(out, beat, 0.5 * np.sign(rng.standard_normal(len(t))) * _decay(0.125, 0.1), 0.5)
    return out


def _voice(rng: np.random.Generator) -> Samples:
    t = _time()
    f = 180.0 * 2 ** (0.3 * np.sin(2 * np.pi * 0.3 * t) + 0.01 * np.sin(2 * np.pi * 5.5 * t))
    phase = np.cumsum(f) / RATE_HZ
    source = 2 * (phase % 1) - 1 + 0.05 * rng.standard_normal(len(t))
    hz = np.fft.rfftfreq(len(t), 1 / RATE_HZ)
    gain = sum(1 / (1 + ((hz - c) / w) ** 2) for c, w in ((700, 90), (1220, 110), (2600, 160), (3300, 300)))
    sung = np.fft.irfft(np.fft.rfft(source) * (gain + 0.003), len(t)) * (np.sin(2 * np.pi * 0.5 * t) > -0.7)
    breath = rng.standard_normal(len(t)) * (np.sin(2 * np.pi * 0.5 * t) < -0.85) * 0.05
    return _room(np.column_stack([sung + breath, sung + breath]), rng, 1.0)


def _texture(rng: np.random.Generator) -> Samples:
    """Return slow noise with a natural fall of 6 dB per octave."""
    noise = rng.standard_normal((len(_time()), 2))
    swell = 1.0 + 0.5 * np.sin(2 * np.pi * 0.2 * _time())
    return _filtered(noise, lambda hz: 1.0 / (1.0 + hz / 300.0)) * swell[:, np.newaxis]


def _strings(rng: np.random.Generator) -> Samples:
    t = _time(2.0)
    out = np.zeros((len(_time()), 2))
    bow = np.minimum(1.0, np.minimum(t / 0.2, (2.0 - t) / 0.3))
    for beat in np.arange(0.0, PIECE_S, 0.5):
        f = _scale(rng, 48, 80)
        vibrato = 0.004 * np.sin(2 * np.pi * rng.uniform(4.5, 6) * t)
        note = sum(
            np.sin(2 * np.pi * f * h * t + 50 * h * vibrato + rng.uniform(0, 6)) / h**1.3
            for h in range(1, min(40, int(21000 / f)))
        )
        _place(out, beat, bow * (note + 0.02 * rng.standard_normal(len(t))), rng.uniform(0.1, 0.9))
    return _room(out, rng, 2.0, 0.3)


def _sparse(rng: np.random.Generator) -> Samples:
    """Return single soft notes with silence between them."""
    t = _time(1.5)
    out = np.zeros((len(_time()), 2))
    for beat in np.arange(0.5, PIECE_S - 1.5, 2.2):
        f = _scale(rng, 50, 80)
        note = sum(np.sin(2 * np.pi * f * h * (1 + 0.0002 * h * h) * t) / h**2 for h in range(1, 12))
        _place(out, beat, note * _decay(1.5, 1.0), 0.5)
    return out


def _dance(rng: np.random.Generator) -> Samples:
    return np.tanh(2.0 * (_drums(rng) + 0.2 * _pad(rng) / 5.0))


def _synthesized(maker: Callable[[np.random.Generator], Samples], seed: int) -> Samples:
    samples = maker(np.random.default_rng(seed))
    return 0.6 * samples / np.abs(samples).max()


_MAKERS = (_plucked, _drums, _bells, _pad, _squares, _voice, _texture, _strings, _sparse, _dance)
SYNTHETIC: dict[str, Callable[[], Samples]] = {
    maker.__name__.strip("_"): partial(_synthesized, maker, 100 + number)
    for number, maker in enumerate(_MAKERS)
}
"""Synthesized music, each piece of another kind."""


def stored(samples: Samples, bits: int, seed: int = 0) -> Samples:
    """Return samples dithered (TPDF) and rounded to a word length, clipped at full scale."""
    step = 2.0 ** (1 - bits)
    rng = np.random.default_rng(seed)
    dither = rng.uniform(-0.5, 0.5, samples.shape) + rng.uniform(-0.5, 0.5, samples.shape)
    return np.clip(np.round(samples / step + dither) * step, -1.0, 1.0 - step)


def through_codec(samples: Samples, rate_hz: int, codec: str, setting: float) -> tuple[Samples, int]:
    """Return a recording encoded and decoded again, and its rate; ``setting`` is kbit/s, or Vorbis' quality.

    Opus is coded at 48 kHz and stays there. MP3, Vorbis and Opus by libsndfile, AAC by ffmpeg.
    """
    if codec == "opus":
        samples = soxr.resample(samples, rate_hz, _OPUS_RATE_HZ, quality="VHQ")
        rate_hz = _OPUS_RATE_HZ
    with tempfile.TemporaryDirectory() as folder:
        coded = Path(folder) / f"coded.{ {'mp3': 'mp3', 'aac': 'm4a'}.get(codec, 'ogg') }"
        if codec == "aac":
            plain, back = Path(folder) / "plain.wav", Path(folder) / "back.wav"
            sf.write(plain, samples, rate_hz, subtype="FLOAT")
            ffmpeg = ["ffmpeg", "-v", "error", "-i"]
            subprocess.run([*ffmpeg, plain, "-c:a", "aac", "-b:a", f"{setting:g}k", coded], check=True)
            subprocess.run([*ffmpeg, coded, "-c:a", "pcm_f32le", back], check=True)
            coded = back
        else:
            subtype, level = {
                # kbit/s over 32 to 320, 1 - q / 10 and kbit/s of a channel over 6 to 256
                "mp3": ("MPEG_LAYER_III", (320.0 - setting) / (320.0 - 32.0)),
                "vorbis": ("VORBIS", 1.0 - setting / 10.0),
                "opus": ("OPUS", 1.0 - (setting / 2.0 - 6.0) / 250.0),
            }[codec]
            mode = {"bitrate_mode": "CONSTANT"} if codec == "mp3" else {}
            container = "MP3" if codec == "mp3" else "OGG"
            channels = samples.shape[1]
            with sf.SoundFile(
                coded, "w", rate_hz, channels, subtype, format=container, compression_level=level, **mode
            ) as file:
                for start in range(0, len(samples), 4096):
                    file.write(samples[start : start + 4096])
        decoded, rate = sf.read(coded, dtype="float64", always_2d=True)
    return decoded, rate
