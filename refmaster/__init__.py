"""refmaster: reference-matching mastering.

The same job as ``refmaster master`` in a few lines::

    import refmaster

    result = refmaster.master_file("mix.wav", "reference.wav", "master.wav")
    print(result.master.levels.integrated_lufs, result.kept_promises)

and on arrays of shape (frames, channels), floats with full scale 1::

    master, result = refmaster.master_array(mix, reference, sample_rate_hz=44100)

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refmaster.version import __version__

if TYPE_CHECKING:
    from refmaster.album.passes import master_album as master_album
    from refmaster.album.passes import render_album_plan as render_album_plan
    from refmaster.album.result import AlbumResult as AlbumResult
    from refmaster.check.playback import PlaybackResult as PlaybackResult
    from refmaster.check.playback import check_playback as check_playback
    from refmaster.check.recording import CheckResult as CheckResult
    from refmaster.check.recording import check_file as check_file
    from refmaster.comparison.compare import Comparison as Comparison
    from refmaster.comparison.compare import compare as compare
    from refmaster.comparison.suggest import Suggestions as Suggestions
    from refmaster.comparison.suggest import suggest_references as suggest_references
    from refmaster.delivery.deliver import deliver as deliver
    from refmaster.delivery.manifest import write_manifest as write_manifest
    from refmaster.delivery.verify import Verification as Verification
    from refmaster.delivery.verify import verify as verify
    from refmaster.errors import AudioError as AudioError
    from refmaster.errors import InputError as InputError
    from refmaster.errors import OutputError as OutputError
    from refmaster.errors import RefmasterError as RefmasterError
    from refmaster.errors import SettingsError as SettingsError
    from refmaster.io.open import open_audio as open_audio
    from refmaster.io.source import ArraySource as ArraySource
    from refmaster.mastering import master_array as master_array
    from refmaster.mastering import master_file as master_file
    from refmaster.mastering import plan_file as plan_file
    from refmaster.plan import MasteringPlan as MasteringPlan
    from refmaster.plan import load_plan as load_plan
    from refmaster.plan import save_plan as save_plan
    from refmaster.profile.measure import measure as measure
    from refmaster.profile.model import Profile as Profile
    from refmaster.profile.model import load_profile as load_profile
    from refmaster.profile.model import save_profile as save_profile
    from refmaster.release.build import release_album as release_album
    from refmaster.release.ddp_reader import read_ddp as read_ddp
    from refmaster.rendering.playback import render_playback as render_playback
    from refmaster.rendering.render import render_file as render_file
    from refmaster.rendering.result import MasterResult as MasterResult
    from refmaster.settings.match import MatchSettings as MatchSettings
    from refmaster.settings.stems import Stems as Stems
    from refmaster.takeaway.files import export_curve as export_curve
    from refmaster.takeaway.files import import_curve as import_curve

_NAMES = {
    "album.result": ("AlbumResult",),
    "album.passes": ("master_album", "render_album_plan"),
    "check.playback": ("PlaybackResult", "check_playback"),
    "check.recording": ("CheckResult", "check_file"),
    "comparison.compare": ("Comparison", "compare"),
    "comparison.suggest": ("Suggestions", "suggest_references"),
    "delivery.deliver": ("deliver",),
    "delivery.manifest": ("write_manifest",),
    "delivery.verify": ("Verification", "verify"),
    "errors": ("AudioError", "InputError", "OutputError", "RefmasterError", "SettingsError"),
    "io.open": ("open_audio",),
    "io.source": ("ArraySource",),
    "mastering": ("master_array", "master_file", "plan_file"),
    "plan": ("MasteringPlan", "load_plan", "save_plan"),
    "profile.measure": ("measure",),
    "profile.model": ("Profile", "load_profile", "save_profile"),
    "release.build": ("release_album",),
    "release.ddp_reader": ("read_ddp",),
    "rendering.playback": ("render_playback",),
    "rendering.render": ("render_file",),
    "rendering.result": ("MasterResult",),
    "settings.match": ("MatchSettings",),
    "settings.stems": ("Stems",),
    "takeaway.files": ("export_curve", "import_curve"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - all are text


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'refmaster' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"refmaster.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
