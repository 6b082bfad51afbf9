"""A file for each ``--for`` target: what ``master`` and ``render`` share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from refmaster.cli.choices import TARGET_NAMES, completing, target_names
from refmaster.cli.help import DELIVERY
from refmaster.errors import SettingsError
from refmaster.io.names import shown_line
from refmaster.io.suffixes import CONTAINERS, is_url

if TYPE_CHECKING:
    from refmaster.cli.options import Printing
    from refmaster.rendering.result import MasterResult
    from refmaster.settings.stems import Stems
    from refmaster.settings.targets import DeliveryTarget

For = Annotated[
    list[str] | None,
    typer.Option(
        "--for",
        metavar="TARGET",
        help="Write a file for this delivery target into the folder of --output: a name, or a YAML file of "
        f"your own; repeat for several: {TARGET_NAMES}. More: refmaster targets.",
        rich_help_panel=DELIVERY,
        autocompletion=completing(target_names),
    ),
]
CheckedFor = Annotated[
    list[str] | None,
    typer.Option(
        "--for",
        metavar="TARGET",
        help="FILE is a finished master: hold it against this delivery target, a name or a YAML file of your "
        f"own, and not against what a mix should be; repeat for several: {TARGET_NAMES}.",
        rich_help_panel=DELIVERY,
        autocompletion=completing(target_names),
    ),
]
TargetFolder = Annotated[
    Path | None,
    typer.Option(
        "--targets",
        metavar="FOLDER",
        help="A folder with delivery targets of your own (YAML).  [your configuration's targets]",
        rich_help_panel=DELIVERY,
    ),
]


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
    manifest: Path | None,
    *,
    overwrite: bool,
    inputs: Sequence[str | Path],
) -> None:
    """Refuse before the work what `refmaster.deliver` would refuse after it: names that are taken."""
    from refmaster.delivery.adapt import delivered_path
    from refmaster.delivery.deliver import manifest_paths, song_of
    from refmaster.io.atomic import check_destinations
    from refmaster.mastering import open_mix

    source = open_mix(mix)
    song = song_of(mix if isinstance(mix, Path) else mix.files[0], stems=not isinstance(mix, Path))
    paths = [delivered_path(folder, song, target, source.format) for target in targets]
    check_destinations(
        [*paths, *dict.fromkeys(manifest_paths(paths, manifest))], overwrite=overwrite, inputs=inputs
    )


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
