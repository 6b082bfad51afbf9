"""Good inputs to start from: audio of every format that is read, and a document of every kind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import soundfile as sf
import yaml

import refmaster
from refmaster.matching.content_prior import SHIPPED_PRIOR

RATE_HZ = 24000  # one that every format here has, Opus included
FRAMES = RATE_HZ * 3 // 2

# Container and coding of libsndfile, by suffix. An AIFF of floats is an AIFF-C.
_LIBSNDFILE = [
    ("wav", "WAV", "PCM_16"), ("wav", "WAV", "PCM_24"), ("wav", "WAV", "PCM_32"), ("wav", "WAV", "FLOAT"),
    ("wav", "WAV", "DOUBLE"), ("wav", "WAV", "PCM_U8"), ("wav", "WAV", "ULAW"), ("wav", "WAV", "IMA_ADPCM"),
    ("wav", "WAVEX", "PCM_24"), ("rf64", "RF64", "PCM_24"), ("w64", "W64", "PCM_16"),
    ("aiff", "AIFF", "PCM_16"), ("aifc", "AIFF", "FLOAT"), ("caf", "CAF", "PCM_16"), ("caf", "CAF", "FLOAT"),
    ("caf", "CAF", "ALAC_16"), ("flac", "FLAC", "PCM_16"), ("flac", "FLAC", "PCM_24"),
    ("mp3", "MP3", "MPEG_LAYER_III"), ("au", "AU", "PCM_16"), ("au", "AU", "FLOAT"), ("voc", "VOC", "PCM_16"),
    ("nist", "NIST", "PCM_16"), ("sf", "IRCAM", "FLOAT"), ("paf", "PAF", "PCM_16"), ("mat", "MAT5", "DOUBLE"),
]  # fmt: skip
# What only ffmpeg reads or writes so: its own arguments.
_FFMPEG = {
    "m4a": ["-c:a", "aac"],
    "alac.m4a": ["-c:a", "alac"],
    "tta": [],
    "wv": [],
    "wma": ["-c:a", "wmav2"],
    "mka": ["-c:a", "flac"],
    "vbr.mp3": ["-c:a", "libmp3lame", "-q:a", "4"],
    "mono.mp3": ["-c:a", "libmp3lame", "-ac", "1"],
    "tagged.flac": [],
    "tagged.aiff": ["-write_id3v2", "1"],
    "tagged.ogg": ["-c:a", "libvorbis"],  # libsndfile's own would have another serial number each time
    "opus": ["-c:a", "libopus"],
}
_TAGS = ["-metadata", "title=A title", "-metadata", "artist=An artist", "-metadata", "track=3/12"]

_ALBUM = """\
version: 1
title: Campaign
tracks:
  - {file: mix.wav, title: One, engineer: ana}
  - {file: second.wav, title: Two, engineer: ben, keep: [level], level_db: -1.0}
  - {file: third.wav, title: Three, engineer: ana, strength: 50}
references: [{file: profile.yaml, weight: 2.0}]
match: {strength: 60, max_reduction_db: 6.0, target_lufs: -16.0}
engineers: {strength: 80, max_tone_db: 3.0, width: true}
levels: {anchor: loud_sections, distance: 100}
output: {format: wav, bit_depth: "24"}
"""
_JOBS = """\
version: 1
output: masters
references: {house: profile.yaml, other: reference.wav}
targets: {loud: {integrated_lufs: -9.0, true_peak_dbtp: -1.0}}
defaults:
  reference: house
  target: spotify
  output: "{title} ({target}){ext}"
  settings: {strength: 60, max_reduction_db: 8}
jobs:
  - {mix: mix.wav, reference: [house, {name: reference.wav, weight: 2}], target: loud, save_plan: true}
  - {kind: measure, file: [second.wav, third.wav], timeout_s: 100}
  - {kind: album, album: album.yaml}
  - {kind: compare, mix: "*.wav", settings: {phase: minimum}}
"""


def make_audio(folder: Path, music: Path) -> list[Path]:
    """Write a short piece of `music` in every format, and return the files."""
    samples, _ = sf.read(music, stop=FRAMES, always_2d=True)
    files = []
    for suffix, container, coding in _LIBSNDFILE:
        path = folder / f"{container}-{coding}.{suffix}".lower()
        sf.write(path, samples, RATE_HZ, format=container, subtype=coding)
        files.append(path)
    for suffix, arguments in _FFMPEG.items():
        path = folder / f"ffmpeg.{suffix}"
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(folder / "wav-pcm_16.wav"), *_TAGS]
        command += ["-fflags", "+bitexact", "-flags", "+bitexact", *arguments, str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        files.append(path)
    return files


def make_documents(folder: Path, mix: Path, reference: Path) -> dict[str, Path]:
    """Write a mix, a reference and documents that name them, and return the documents by kind."""
    for start, name in enumerate(("mix", "second", "third")):
        samples, _ = sf.read(mix, start=start * 4 * FRAMES, frames=FRAMES, always_2d=True)
        sf.write(folder / f"{name}.wav", samples, RATE_HZ, subtype="PCM_24")
    samples, _ = sf.read(reference, stop=2 * FRAMES, always_2d=True)
    sf.write(folder / "reference.wav", samples, RATE_HZ)
    files = {
        kind: folder / f"{kind}.yaml" for kind in ("plan", "profile", "prior", "album", "album_plan", "jobs")
    }
    refmaster.save_profile(
        refmaster.measure(refmaster.open_audio(folder / "reference.wav")), files["profile"]
    )
    plan = refmaster.plan_file(folder / "mix.wav", files["profile"]).plan
    refmaster.save_plan(plan, files["plan"])
    shutil.copy(SHIPPED_PRIOR, files["prior"])
    files["album"].write_text(_ALBUM)
    files["jobs"].write_text(_JOBS)
    refmaster.master_album(files["album"], folder / "planned", dry_run=True)
    planned = yaml.safe_load((folder / "planned" / "album-plan.yaml").read_text())
    for track in planned["tracks"]:
        track["mix"]["file"] = Path(track["mix"]["file"]).name
    files["album_plan"].write_text(yaml.safe_dump(planned, sort_keys=False))
    return files
