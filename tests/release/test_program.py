"""The layout of a program, the program as one recording, and its files."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from refmaster.errors import SettingsError
from refmaster.io.formats import output_format_for
from refmaster.io.source import ArraySource
from refmaster.profile.measure import measure
from refmaster.release.layout import Layout, Song, frames_at, lay_out, layout_problems, song_of
from refmaster.release.program import Program, cut
from refmaster.release.sides import sides_of, track_lengths_s
from refmaster.release.writing import Piece, ProgramForm, write_pieces
from refmaster.settings.sequence import TrackSequence, VinylSettings

RATE_HZ = 44100
Samples = NDArray[np.float32]


def songs_of(*sequences: TrackSequence, seconds: float = 6.0) -> list[Song]:
    frames = round(seconds * RATE_HZ)
    return [Song(frames=frames, sequence=each, head_quiet_s=0.2, tail_quiet_s=0.5) for each in sequences]


def noise(number: int, frames: int, channels: int = 2) -> Samples:
    generator = np.random.default_rng(number)
    return generator.uniform(-0.5, 0.5, (frames, channels)).astype(np.float32)


def program(layout: Layout, arrays: list[Samples], channels: int = 2) -> Samples:
    sources = [ArraySource(each, RATE_HZ) for each in arrays]
    return np.concatenate(list(Program("made", sources, layout, channels).blocks()))


def test_gaps_are_as_asked_and_begin_songs_on_sectors() -> None:
    layout = lay_out(songs_of(*[TrackSequence(gap_s=1.234)] * 3), RATE_HZ)
    assert [mark.indexes[0] for mark in layout.marks] == [0, 543, 1086]  # 7.234 s is 542.55 sectors
    assert [mark.pregap for mark in layout.marks] == [None, 450, 993]
    assert [song.start for song in layout.songs] == [frames_at(s, RATE_HZ) for s in (0, 543, 1086)]
    assert layout.sectors == 1086 + 450


def test_auto_gaps_make_up_what_is_missing_of_two_seconds_of_silence() -> None:
    layout = lay_out(songs_of(*[TrackSequence()] * 2), RATE_HZ)
    assert layout.gaps_s[1] == pytest.approx(1.3)
    assert layout.marks[1].pregap is not None


def test_a_song_that_follows_at_once_begins_where_the_other_ends() -> None:
    layout = lay_out(songs_of(TrackSequence(), TrackSequence(gap_s=0.0), seconds=5.0001), RATE_HZ)
    first, second = layout.songs
    assert second.start == first.end
    assert layout.marks[1].pregap is None
    assert 0 <= second.start - frames_at(layout.marks[1].indexes[0], RATE_HZ) < 588


def test_songs_that_touch_are_the_songs_to_the_bit() -> None:
    layout = lay_out(songs_of(TrackSequence(), TrackSequence(gap_s=0.0)), RATE_HZ)
    arrays = [noise(1, 6 * RATE_HZ), noise(2, 6 * RATE_HZ)]
    made = program(layout, arrays)
    assert np.array_equal(made[: 12 * RATE_HZ], np.concatenate(arrays))
    assert not made[12 * RATE_HZ :].any()


def test_a_crossfade_keeps_the_power_of_two_unlike_songs() -> None:
    layout = lay_out(songs_of(TrackSequence(), TrackSequence(crossfade_s=3.0)), RATE_HZ)
    made = program(layout, [noise(1, 6 * RATE_HZ), noise(2, 6 * RATE_HZ)])
    assert layout.songs[1].start == 3 * RATE_HZ
    power = (made**2).mean(axis=1)[: 9 * RATE_HZ].reshape(18, -1).mean(axis=1)
    assert np.ptp(10 * np.log10(power)) < 0.2
    assert layout.gaps_s[1] == -3.0


def test_a_crossfade_of_a_song_with_itself_shows_both_gains() -> None:
    layout = lay_out(songs_of(TrackSequence(), TrackSequence(crossfade_s=2.0)), RATE_HZ)
    ones = np.ones((6 * RATE_HZ, 1), np.float32)
    made = program(layout, [ones, ones], channels=1)[:, 0]
    middle = 5 * RATE_HZ
    assert made[middle] == pytest.approx(np.sqrt(2.0), abs=1e-4)
    assert made[4 * RATE_HZ - 1] == 1.0
    assert made[6 * RATE_HZ + 1] == 1.0


def test_trims_and_fades_are_exact() -> None:
    asked = TrackSequence(trim_head_s=1.0, trim_tail_s=0.5, fade_in_s=0.25, fade_out_s=1.0)
    layout = lay_out(songs_of(asked), RATE_HZ)
    ramp = np.linspace(0.1, 0.9, 6 * RATE_HZ, dtype=np.float32)[:, None]
    made = program(layout, [ramp], channels=1)[:, 0]
    kept = ramp[RATE_HZ : round(5.5 * RATE_HZ), 0]
    fade_in, fade_out = RATE_HZ // 4, RATE_HZ
    assert np.array_equal(made[fade_in : len(kept) - fade_out], kept[fade_in:-fade_out])
    assert made[fade_in // 2] == pytest.approx(0.5 * kept[fade_in // 2], rel=1e-3)
    assert abs(made[len(kept) - 1]) < 1e-6
    assert not made[len(kept) :].any()


def test_a_hidden_song_before_the_first_is_its_pause() -> None:
    layout = lay_out(songs_of(TrackSequence(hidden=True), TrackSequence(gap_s=2.0), TrackSequence()), RATE_HZ)
    assert [mark.song for mark in layout.marks] == [1, 2]
    assert layout.marks[0].pregap == 0
    assert layout.marks[0].indexes == (600,)


def test_a_hidden_song_at_the_end_belongs_to_the_last_track() -> None:
    layout = lay_out(songs_of(TrackSequence(), TrackSequence(hidden=True, gap_s=60.0)), RATE_HZ)
    assert [mark.song for mark in layout.marks] == [0]
    assert layout.sectors == (6 + 60 + 6) * 75


def test_index_points_count_from_the_song_as_it_is_heard() -> None:
    layout = lay_out(songs_of(TrackSequence(), TrackSequence(gap_s=2.0, index_s=(1.0, 2.5))), RATE_HZ)
    assert layout.marks[1].indexes == (600, 675, 787)


@pytest.mark.parametrize(
    ("sequences", "key", "said"),
    [
        ([TrackSequence(trim_head_s=4.0, trim_tail_s=2.0)], "trim_head_s", "leave some of its 6.0 s"),
        ([TrackSequence(fade_in_s=4.0, fade_out_s=2.5)], "fade_out_s", "fades within its 6.0 s"),
        ([TrackSequence(index_s=(6.0,))], "index_s", "positions within its 6.0 s"),
        ([TrackSequence(crossfade_s=1.0)], "crossfade_s", "none before it"),
        ([TrackSequence(), TrackSequence(crossfade_s=6.5)], "crossfade_s", "longer than song"),
        ([TrackSequence(fade_out_s=1.0), TrackSequence(crossfade_s=2.0)], "crossfade_s", "fades out already"),
        (
            [TrackSequence(), TrackSequence(crossfade_s=4.0), TrackSequence(crossfade_s=3.0)],
            "crossfade_s",
            "longer than song 2 allows",
        ),
    ],
)
def test_what_cannot_be_laid_out_is_named(sequences: list[TrackSequence], key: str, said: str) -> None:
    problems = layout_problems(songs_of(*sequences), RATE_HZ)
    assert any(where == key and said in text for _, where, text in problems), problems


@pytest.mark.parametrize(
    "values",
    [
        {"gap_s": -1.0},
        {"gap_s": 301.0},
        {"gap_s": 2.0, "crossfade_s": 1.0},
        {"crossfade_s": 1.0, "fade_in_s": 1.0},
        {"index_s": (2.0, 1.0)},
    ],
)
def test_a_sequence_that_contradicts_itself_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        TrackSequence(**values)


def test_quiet_ends_are_measured_on_the_master() -> None:
    samples = noise(1, 8 * RATE_HZ)
    samples[: 2 * RATE_HZ] *= 1e-4
    samples[7 * RATE_HZ :] = 0.0
    song = song_of(measure(ArraySource(samples, RATE_HZ)), len(samples), TrackSequence(trim_head_s=0.5))
    assert song.head_quiet_s == pytest.approx(1.5, abs=0.15)
    assert song.tail_quiet_s == pytest.approx(1.0, abs=0.15)


@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=5),
    st.integers(1, 3000),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_blocks_of_any_length_give_the_same_program(
    gaps: list[int], block_frames: int, crossfade_s: float
) -> None:
    sequences = [
        TrackSequence(crossfade_s=crossfade_s) if number and crossfade_s else TrackSequence(gap_s=gap / 10)
        for number, gap in enumerate(gaps)
    ]
    rate, frames = 4500, 3000
    songs = [Song(frames=frames, sequence=s, head_quiet_s=0.0, tail_quiet_s=0.0) for s in sequences]
    layout = lay_out(songs, rate)
    sources = [ArraySource(noise(n, frames), rate) for n in range(len(gaps))]
    whole = np.concatenate(list(Program("made", sources, layout, 2).blocks(10**6)))
    pieces = list(Program("made", sources, layout, 2).blocks(block_frames))
    assert np.array_equal(np.concatenate(pieces), whole)
    assert len(whole) == layout.frames


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=6),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_a_program_is_cut_at_the_frame(pieces: list[int], blocks: list[int]) -> None:
    whole = np.arange(sum(blocks), dtype=np.float64)[:, None]
    stream = (whole[a:b] for a, b in itertools.pairwise(np.cumsum([0, *blocks])))
    got = [
        np.concatenate([b for n, b in found if n == number] or [whole[:0]])
        for found in [list(cut(stream, pieces))]
        for number in range(len(pieces))
    ]
    assert np.array_equal(np.concatenate(got), whole)
    edges = np.cumsum(pieces)[:-1]
    for number, edge in enumerate(edges):
        assert len(np.concatenate(got[: number + 1])) == min(edge, len(whole))


@pytest.mark.parametrize("form", [(48000, 24, None), (RATE_HZ, 16, None), (48000, 16, -1.0)])
def test_pieces_are_the_program_to_the_bit(tmp_path: Path, form: tuple[int, int, float | None]) -> None:
    rate, bits, ceiling = form
    layout = lay_out(
        songs_of(TrackSequence(), TrackSequence(crossfade_s=1.0), TrackSequence(gap_s=0.5)), RATE_HZ
    )
    arrays = [3.0 * noise(number, 6 * RATE_HZ) for number in range(3)]
    made = Program("made", [ArraySource(a, RATE_HZ) for a in arrays], layout, 2)
    starts = [mark.indexes[0] for mark in layout.marks]
    edges = [frames_at(sector, rate) for sector in (*starts, layout.sectors)]

    def piece(name: str, frames: int) -> Piece:
        held = output_format_for(tmp_path / name, made.format, bit_depth=str(bits), sample_rate_hz=rate)  # type: ignore[arg-type]
        return Piece(path=tmp_path / name, format=held, frames=frames)

    pieces = [piece(f"{n}.wav", b - a) for n, (a, b) in enumerate(itertools.pairwise(edges))]
    written = write_pieces(
        made,
        ProgramForm(sample_rate_hz=rate, bits=bits, ceiling_dbtp=ceiling),
        pieces,
        whole=piece("whole.wav", edges[-1]),
        image=tmp_path / "image.dat" if bits == 16 else None,
        image_pause_frames=588,
    )
    whole = sf.read(tmp_path / "whole.wav", dtype="int32")[0]
    parts = [sf.read(p.path, dtype="int32")[0] for p in pieces]
    assert np.array_equal(np.concatenate(parts), whole)
    if bits == 16:
        raw = np.fromfile(tmp_path / "image.dat", "<i2").reshape(-1, 2)
        assert not raw[:588].any()
        assert np.array_equal(raw[588:], whole >> 16)
    peak = max(p for p in written.sample_peaks_dbfs if p is not None)
    assert (peak <= -1.0) == (ceiling is not None)
    assert (written.max_reduction_db > 0.0) == (ceiling is not None)


def test_sides_are_the_tracks_in_order_and_as_even_as_can_be() -> None:
    layout = lay_out(songs_of(*[TrackSequence(gap_s=0.0)] * 5), RATE_HZ)
    assert track_lengths_s(layout) == [6.0] * 5
    assert sides_of(layout, VinylSettings()) == [[0, 1], [2, 3, 4]]
    assert sides_of(layout, VinylSettings(sides=((1, 2, 3, 4), (5,)))) == [[0, 1, 2, 3], [4]]
    with pytest.raises(SettingsError, match="expected the tracks 1 to 5 in order"):
        sides_of(layout, VinylSettings(sides=((1, 3), (2, 4, 5))))


def test_a_long_record_takes_more_sides() -> None:
    long = [
        Song(frames=600 * 1500, sequence=TrackSequence(gap_s=0.0), head_quiet_s=0.0, tail_quiet_s=0.0)
    ] * 6
    assert sorted(len(side) for side in sides_of(lay_out(long, 1500), VinylSettings())) == [1, 1, 2, 2]
