"""album.yaml: strict, placed, and nothing accepted that is not acted on."""

import pytest

from refmaster.album.request import load_album
from refmaster.errors import SettingsError

TRACKS = "version: 1\ntracks:\n  - {file: a.wav, engineer: ana}\n  - {file: b.wav, engineer: ben}\n"


@pytest.fixture
def loaded(tmp_path):
    def load(text, **overrides):
        path = tmp_path / "album.yaml"
        path.write_text(text)
        return load_album(path, **overrides)

    return load


@pytest.fixture
def refused(loaded, tmp_path):
    def load(text):
        with pytest.raises(SettingsError) as caught:
            loaded(text)
        return [line.removeprefix(str(tmp_path / "album.yaml")) for line in str(caught.value).splitlines()]

    return load


def test_paths_are_relative_to_the_file(loaded, tmp_path):
    album = loaded(TRACKS + "references:\n  - {file: ../ref.wav, weight: 2}\n")
    assert album.paths == (tmp_path / "a.wav", tmp_path / "b.wav")
    assert album.references == ((tmp_path / "../ref.wav", 2.0),)
    assert album.engineers == ["ana", "ben"]
    assert album.titles == ["a", "b"]


def test_every_problem_has_its_place(refused):
    text = "version: 1\ntracks:\n  - fil: a.wav\n  - file: b.wav\n    keep: [tone, loudness]\n    gap: 2\n"
    assert refused(text) == [
        ":3:5: tracks[0].file: this key is required and missing",
        ':3:5: tracks[0].fil: unknown key, did you mean "file"?',
        ':5:18: tracks[1].keep[1]: expected tone, level or width, found "loudness"',
        ":6:5: tracks[1].gap: unknown key; "
        "known here: anchor, artist, engineer, file, isrc, keep, level_db, sequence, strength, title",
    ]


@pytest.mark.parametrize("key", ["strength: 40", "low_hz: 60", "tone: false", "loudness: false"])
def test_what_acts_only_toward_references_needs_them(refused, loaded, key):
    (line,) = refused(TRACKS + f"match:\n  {key}\n")
    assert line.startswith(f":6:3: match.{key.split(':')[0]}: ")
    assert loaded(TRACKS + f"match:\n  {key}\nreferences:\n  - file: ref.wav\n")


def test_one_anchor(refused, loaded):
    two = TRACKS.replace("ana}", "ana, anchor: true}").replace("ben}", "ben, anchor: true}")
    assert refused(two) == [":4:42: tracks[1].anchor: the album has one anchor, and track 1 is it already"]
    assert refused(TRACKS + "engineers:\n  anchor: cem\n") == [
        ":6:11: engineers.anchor: no track is by 'cem'; engineers: ana, ben"
    ]
    assert loaded(TRACKS + "engineers:\n  anchor: ben\n").anchor == "ben"
    assert loaded(TRACKS.replace("engineer: ana", "anchor: true")).anchor == "(track 1)"


def test_targets(loaded, refused):
    match = loaded(TRACKS + "target: spotify\n").settings.match
    assert (match.target_lufs, match.ceiling_dbtp) == (-14.0, -1.0)
    match = loaded(TRACKS + "target: spotify\nmatch: {ceiling_dbtp: -2}\n").settings.match
    assert (match.target_lufs, match.ceiling_dbtp) == (-14.0, -2.0)
    assert (
        "contradicts match.target_lufs" in refused(TRACKS + "target: spotify\nmatch: {target_lufs: -9}\n")[0]
    )
    assert 'did you mean "spotify"' in refused(TRACKS + "target: spotfy\n")[0]


def test_options_stand_for_what_the_file_says(loaded):
    text = TRACKS + "target: spotify\nmatch: {max_reduction_db: 4}\n"
    match = loaded(text, target_lufs=-12.0).settings.match
    assert (match.target_lufs, match.ceiling_dbtp, match.max_reduction_db) == (-12.0, -1.0, 4.0)
    assert loaded(text, target="amazon-music").settings.match.ceiling_dbtp == -2.0
    with pytest.raises(SettingsError, match="--lufs"):
        loaded(text, target_lufs=3.0)


def test_sections_are_refused(refused):
    references = "references: [{file: r.wav}]\n"
    (problem,) = refused(TRACKS + references + "match: {sections: true}\n")
    assert problem.startswith(":6:19: match.sections: an album has one curve for all of its songs")


def test_a_repair_is_refused(refused):
    references = "references: [{file: r.wav}]\n"
    (problem,) = refused(TRACKS + references + "match: {repair: {dc: true}}\n")
    assert problem.startswith(":6:17: match.repair: an album's mixes are repaired one by one")


def test_another_engine_is_refused(refused):
    assert refused(TRACKS + "match: {engine: matchering}\n")[-1].startswith(
        ":5:17: match.engine: an album is"
    )


def test_another_engine_is_refused_as_an_option_too(loaded, tmp_path):
    (tmp_path / "mixes").mkdir()
    (tmp_path / "mixes" / "a.wav").touch()
    with pytest.raises(SettingsError, match="only refmaster's own engine"):
        loaded(TRACKS, engine="matchering")
    with pytest.raises(SettingsError, match="only refmaster's own engine"):
        load_album(tmp_path / "mixes", engine="matchering")
    assert loaded(TRACKS + "match: {engine: matchering}\n", engine="refmaster")


def test_a_folder_in_natural_order(tmp_path):
    for name in ("10 end.wav", "2 two.flac", "1 one.wav", "cover.jpg", ".hidden.wav"):
        (tmp_path / name).touch()
    album = load_album(tmp_path)
    assert album.titles == ["1 one", "2 two", "10 end"]
    assert album.engineers == [None] * 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="found none"):
        load_album(tmp_path / "empty")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 2\ntracks: [{file: a}]\n", "version"),
        ("version: 1\ntracks: []\n", "tracks"),
        ("", "empty file"),
    ],
)
def test_what_is_no_album(refused, text, said):
    assert said in refused(text)[0]


@pytest.mark.parametrize("other", ["Ana", '"ana "', '" ANA"'])
def test_names_that_differ_by_case_or_spaces_only_are_a_question(refused, other):
    name = other.strip('"')
    message = f'"{name}" and, in line 3, "ana": one engineer or two? write them alike'
    assert refused(TRACKS.replace("ben}", f"{other}}}")) == [f":4:29: tracks[1].engineer: {message}"]
    assert refused(TRACKS + f"engineers: {{anchor: {other}}}\n") == [f":5:21: engineers.anchor: {message}"]


def test_names_are_trimmed_and_not_empty(loaded, refused):
    spaced = TRACKS.replace("ana}", '" ana "}').replace("ben}", '" ana "}')
    assert loaded(spaced).engineers == ["ana", "ana"]
    assert "tracks[0].engineer" in refused(TRACKS.replace("ana}", '" "}'))[0]
    accents = TRACKS.replace("ana}", '"Zo\u00eb"}').replace("ben}", '"Zoe\u0308"}')
    assert "one engineer or two?" in refused(accents)[0]
