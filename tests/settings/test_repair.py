"""A plan's repair is data that people edit: whatever stands there, it loads or is refused with its place."""

import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refmaster import SettingsError, plan_file
from refmaster.plan import MasteringPlan, format_plan, load_plan, save_plan
from refmaster.settings.files import load_settings, merged_layers
from refmaster.settings.match import MatchSettings
from refmaster.settings.repair import Repair, RepairSettings, updated

FRAMES = 240000


@pytest.fixture(scope="module")
def plan(short_example) -> MasteringPlan:
    return plan_file(short_example / "mix.wav", [], MatchSettings(target_lufs=-20.0)).plan


@pytest.fixture(scope="module")
def load(plan, tmp_path_factory):
    """Load the plan with a repair given as YAML."""
    path = tmp_path_factory.mktemp("repair") / "plan.yaml"
    text = format_plan(plan)

    def load(repair, *, channels=2):
        own = text.replace("channels: 2", f"channels: {channels}", 1)
        path.write_text(f"{own}\nrepair:\n{repair}\n")
        return load_plan(path)

    return load


def test_a_repair_reads_back_as_it_was_written(plan, tmp_path):
    repair = Repair(
        why="mine",
        clicks=((5, 3, 0), (5, 3, 1)),
        overs=((0, 0.5), (0, -0.25)),
        dc=(0.1, 0.0),
        end_frame=9,
        fade_in_s=1e-4,
    )
    save_plan(plan.model_copy(update={"repair": repair}), tmp_path / "plan.yaml")
    assert load_plan(tmp_path / "plan.yaml").repair == repair


@pytest.mark.parametrize(
    ("repair", "channels", "said"),
    [
        ("  clicks: [[10, 5, 0], [14, 5, 0]]", 2, "clicks: expected rows in order of time, each beyond"),
        ("  clicks: [[10, 5, 0], [15, 5, 0]]", 2, "row 2 to start at 15 and the one before it in channel 0"),
        ("  clicks: [[10, 129, 0]]", 2, "clicks[0][1]: expected at most 128"),
        ("  clicks: [[10, 0, 0]]", 2, "clicks[0][1]: expected at least 1"),
        ("  clicks: [[-1, 5, 0]]", 2, "clicks[0][0]: expected at least 0"),
        ("  clicks: [[10, 5, 2]]", 2, "clicks[0][2]: expected at most 1"),
        ("  clicks: [[10, 5]]", 2, "clicks[0]: expected more items, found [10, 5]"),
        (
            "  clicks: [[10, 5, 1]]",
            1,
            "clicks[0]: expected a channel below 1, the mix's number of them, found 1",
        ),
        (
            "  clicks:\n    - [1, 1, 0]\n    - [239999, 2, 0]",
            2,
            "clicks[1]: expected an end within the mix's 240000",
        ),
        ("  overs: [[0, 0.5], [0, 0.6]]", 2, "overs: expected for each channel at most a level above 0"),
        ("  overs: [[0, 0.0]]", 2, "overs: expected for each channel at most a level above 0"),
        ("  overs: [[1, 0.5]]", 1, "overs[0]: expected a channel below 1"),
        ("  dc: [0.1]", 2, "dc: expected an offset for each of 2 channel(s), found 1"),
        ("  dc: [2.0, 0.1]", 2, "dc[0]: expected at most 1"),
        ("  start_frame: 240000", 2, "start_frame: expected a frame within the mix's 240000, found 240000"),
        ("  end_frame: 240001", 2, "end_frame: expected a frame within the mix's 240000, found 240001"),
        (
            "  start_frame: 5\n  end_frame: 5",
            2,
            "repair: end_frame: expected more than start_frame (5), found 5",
        ),
        ("  fade_out_s: 5.001", 2, "fade_out_s: expected fades of at most 5.000 s together"),
        ("  fade_in_s: .nan", 2, "fade_in_s"),
        ("  longest_over_frames: 0", 2, "longest_over_frames: expected at least 1"),
        ("  fade_in: 1", 2, 'fade_in: unknown key, did you mean "fade_in_s"?'),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(load, repair, channels, said):
    with pytest.raises(SettingsError) as caught:
        load(repair, channels=channels)
    message = str(caught.value).splitlines()[0]
    assert re.match(r".*plan\.yaml:\d+:\d+: repair", message)
    assert said in message


def test_rows_that_were_all_deleted_are_none(load):
    assert load("  clicks:\n  overs:\n  dc:").repair == Repair()


NUMBERS = st.one_of(st.integers(-2, 2**41), st.floats(-2, 2, width=16), st.sampled_from([FRAMES, FRAMES - 1]))
ROWS = st.lists(st.one_of(st.lists(NUMBERS, max_size=4), NUMBERS, st.none()), max_size=5)
REPAIRS = st.fixed_dictionaries(
    {},
    optional={
        "clicks": st.one_of(
            ROWS, st.lists(st.tuples(st.integers(0, 300), st.integers(1, 200), st.integers(0, 2)))
        ),
        "overs": st.one_of(ROWS, st.lists(st.tuples(st.integers(0, 2), st.floats(-1, 1)))),
        "dc": st.lists(NUMBERS, max_size=3),
        "start_frame": NUMBERS,
        "end_frame": NUMBERS,
        "fade_in_s": NUMBERS,
        "fade_out_s": NUMBERS,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(REPAIRS, st.sampled_from([1, 2]))
def test_hostile_repairs_load_or_are_refused_with_their_place(load, values, channels):
    text = yaml.safe_dump({"repair": values}, default_flow_style=None).partition("\n")[2]
    if not values:
        return
    try:
        repair = load(text, channels=channels).repair
    except SettingsError as error:
        for line in str(error).splitlines():
            assert re.match(r".*plan\.yaml:\d+:\d+: repair", line) or "more problems" in line
        return
    assert repair.problems_of(channels, FRAMES, 48000) == []
    assert 0 < repair.frames_of(FRAMES) <= FRAMES


def test_each_part_of_a_repair_is_a_setting_of_its_own(tmp_path):
    (tmp_path / "mine.yaml").write_text("repair: {clicks: true, fade_out_s: 3}\n")
    layer = load_settings(tmp_path / "mine.yaml").match
    merged = merged_layers([layer, {"repair": {"dc": True, "clicks": False}}])
    assert merged == {"repair": {"clicks": False, "fade_out_s": 3.0, "dc": True}}
    assert MatchSettings(**merged).repair == RepairSettings(dc=True, fade_out_s=3.0)
    assert updated({"tone": False}, {"side": False}) == {"tone": False, "side": False}
