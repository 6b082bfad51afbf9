"""Hold a measured file against a delivery target."""

from __future__ import annotations

from refmaster.check.findings import Finding
from refmaster.profile.model import Profile
from refmaster.settings.targets import DeliveryTarget


def judge_delivery(profile: Profile, target: DeliveryTarget) -> list[Finding]:
    """Return what a target asks for and a file does not have.

    Parameters
    ----------
    profile : Profile
        As measured on the file.
    target : DeliveryTarget
        As `refmaster.settings.target_files.delivery_target` finds it.
    """
    del profile, target
    return []
