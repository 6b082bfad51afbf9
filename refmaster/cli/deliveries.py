"""A file for each ``--for`` target: what ``master`` and ``render`` share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from refmaster.errors import SettingsError
from refmaster.io.names import shown_line
from refmaster.io.suffixes import CONTAINERS, is_url

if TYPE_CHECKING:
    from refmaster.cli.options import Printing
    from refmaster.rendering.result import MasterResult
    from refmaster.settings.stems import Stems
    from refmaster.settings.targets import DeliveryTarget


def targets_asked(names: Sequence[str], folder: Path | None) -> list[DeliveryTarget]:
    """Return the targets of ``--for``, each once; none where none is asked for.

    Raises
    ------
    SettingsError
        One is unknown or wrong, or ``--targets`` stands alone.
    """
    from refmaster.settings.target_files import asked_targets

    if folder is not None and not names:
        raise SettingsError("--targets: expected --for with it, to say which of its targets are meant")
    return asked_targets(names, folder)


def delivery_folder(output: str | Path) -> Path:
    """Return the folder of ``--output``; SettingsError where that is no folder of this machine."""
    if is_url(str(output)):
        raise SettingsError(f"--output {output}: with --for expected a folder of this machine, found a URL")
    folder = Path(output)
    if folder.suffix.lower() in CONTAINERS and not folder.is_dir():
        raise SettingsError(
            f"--output {output}: with --for expected a folder, found the name of a file; each target's file "
            "gets a name of its own in it"
        )
    return folder


def check_deliveries(
    targets: Sequence[DeliveryTarget],
    mix: Path | Stems,
    folder: Path,
    *,
    overwrite: bool,
    inputs: Sequence[str | Path],
) -> None:
    """Refuse before the work what `refmaster.deliver` would refuse after it: names that are taken."""
    from refmaster.delivery.adapt import delivered_path
    from refmaster.delivery.deliver import song_of
    from refmaster.io.atomic import check_destinations
    from refmaster.mastering import open_mix

    source = open_mix(mix)
    song = song_of(mix if isinstance(mix, Path) else mix.files[0], stems=not isinstance(mix, Path))
    paths = [delivered_path(folder, song, target, source.format) for target in targets]
    check_destinations(paths, overwrite=overwrite, inputs=inputs)


def conclude_deliveries(
    targets: Sequence[DeliveryTarget],
    results: Sequence[MasterResult],
    printing: Printing,
    told: Sequence[str] = (),
) -> NoReturn:
    """Print deliveries as JSON, or as a table with their findings, and end the verb."""
    from refmaster.check.findings import kept_promises
    from refmaster.cli import screen
    from refmaster.report import deliveries as report

    delivered = list(zip(targets, results, strict=True))
    if printing.as_json:
        screen.print_json(report.deliveries_json(delivered))
    else:
        if not printing.quiet:
            for line in told:
                screen.print_text(line, indent=10)
            screen.print_table(report.DELIVERY_HEADER, report.delivery_rows(delivered), text_columns=2)
            for target, result in delivered:
                screen.print_text(f"written {shown_line(str(result.output))}", indent=8)
                if printing.verbose or result.limiter is None:
                    screen.print_text(f"{target.name}: level {result.plan.level.in_words()}", indent=4)
        screen.print_findings(report.shared_findings(delivered), quiet=printing.quiet)
        for name, findings in report.own_findings(delivered):
            if findings and not printing.quiet:
                screen.print_text(f"{name}:")
            screen.print_findings(findings, quiet=printing.quiet)
    screen.conclude(kept_promises=all(kept_promises(result.findings) for result in results))
