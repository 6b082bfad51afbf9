"""Outlets: a master gets the tags of the file its mix is read from, whatever the source is called."""

from __future__ import annotations

import pytest
import soundfile as sf
from mutagen.flac import FLAC

from refmaster import ArraySource, measure, open_audio, plan_file
from refmaster.rendering.outlets import FileOutlet

RATE_HZ = 44_100


@pytest.fixture
def mix(tmp_path, rng):
    path = tmp_path / "mix.flac"
    sf.write(path, rng.uniform(-0.1, 0.1, (2 * RATE_HZ, 2)), RATE_HZ)
    file = FLAC(path)
    file["title"] = "Song"
    file.save()
    return path


def written(path, source, plan):
    with FileOutlet(path, overwrite=False, inputs=[]) as outlet:
        outlet.keep(source, measure(outlet.write(source.blocks(), source, plan)))
    return FLAC(path)


def test_tags_come_from_the_mixs_file_and_not_from_its_name(tmp_path, mix):
    plan = plan_file(mix, mix).plan
    source = open_audio(mix, name="a name to show")
    assert written(tmp_path / "master.flac", source, plan)["title"] == ["Song"]


def test_an_array_has_no_tags_to_copy(tmp_path, mix):
    plan = plan_file(mix, mix).plan
    source = ArraySource(sf.read(mix, dtype="float32")[0], RATE_HZ)
    assert not written(tmp_path / "master.flac", source, plan).tags
