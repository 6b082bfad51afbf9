"""The process that takes hostile inputs: a line with a task in, a line with its outcome out.

It may hang, be killed or crash: `Child` in `parent.py` watches it and starts another.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

ADDRESS_SPACE_BYTES = (
    4 * 1024**3
)  # what asks for more gets a MemoryError; what takes more than 1 GB is killed
LONGEST_REFUSAL = 500_000


def main() -> None:
    """Answer tasks until there are no more."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    warnings.simplefilter("ignore")
    answers = sys.stdout
    sys.stdout = sys.stderr
    scratch = Path(sys.argv[1])
    doors = _doors(Path(sys.argv[2]), scratch)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts anew
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        print(json.dumps(_answer(doors[task["kind"]], Path(task["path"]))), file=answers, flush=True)


def _doors(seeds: Path, scratch: Path) -> dict[str, Callable[[Path], object]]:
    """Return what is done with an input of each kind; `seeds` holds a good mix and a good profile."""
    import refmaster
    from refmaster.album.plan import is_album_plan
    from refmaster.batch.session import plan_batch

    mix, profile, master = seeds / "mix.wav", seeds / "profile.yaml", scratch / "master.wav"

    def album(path: Path) -> object:
        if is_album_plan(path):
            return refmaster.render_album_plan(path, scratch / "album")
        return refmaster.master_album(path, scratch / "album", dry_run=True)

    return {
        "audio": lambda path: refmaster.master_file(path, profile, master),
        "reference": lambda path: refmaster.measure(refmaster.open_audio(path)),
        "plan": lambda path: refmaster.render_file(path, master),
        "profile": lambda path: refmaster.plan_file(mix, path),
        "prior": lambda path: refmaster.plan_file(mix, profile, refmaster.MatchSettings(prior=str(path))),
        "album": album,
        "album_plan": album,
        "jobs": plan_batch,
    }


def _answer(door: Callable[[Path], object], path: Path) -> dict[str, str]:
    from refmaster.errors import InputError

    try:
        door(path)
    except InputError as error:
        if len(str(error)) > LONGEST_REFUSAL:
            return {"outcome": "fault", "what": f"a refusal of {len(str(error))} characters", "where": ""}
        return {"outcome": "refused", "what": str(error)[:200]}
    except Exception as error:  # noqa: BLE001 - a fault, which is what is looked for
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "/refmaster/" in f.filename]
        where = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
        name = where.filename.rpartition("/refmaster/")[2]
        return {
            "outcome": "fault",
            "what": f"{type(error).__name__}: {str(error)[:160]}".replace("\n", " | "),
            "where": f"{name}:{where.lineno} {where.name}",
        }
    return {"outcome": "taken"}


if __name__ == "__main__":
    main()
