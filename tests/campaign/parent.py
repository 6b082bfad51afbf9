"""One long-lived child that answers, is watched, and is started again when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# For one input. Time is what the child works, so that a busy machine makes no faults; one that waits without
# working is given longer.
MOST_CPU_S = 10.0
MOST_WALL_S = 60.0
MOST_BYTES = 1024**3
_LOOK_EVERY_S = 0.05
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Answer:
    """What became of one input: "taken", "refused" or "fault", and what and where the fault is."""

    outcome: str
    what: str = ""
    where: str = ""


class Child:
    """Takes inputs through the library in a process of its own."""

    def __init__(self, scratch: Path, seeds: Path) -> None:
        self._arguments = [str(scratch), str(seeds)]
        self._errors = scratch.with_suffix(".stderr")
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def take(self, kind: str, path: Path) -> Answer:
        """Return what became of an input."""
        process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"kind": kind, "path": str(path)}) + "\n")
            process.stdin.flush()
        answer = self._awaited(process)
        if answer is not None:
            return answer
        line = process.stdout.readline()
        if line:
            return Answer(**json.loads(line))
        code = process.wait()
        self._stop()
        reason = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return Answer("fault", f"the process died: {reason}", _crash_place(self._errors.read_text()))

    def _awaited(self, process: subprocess.Popen[str]) -> Answer | None:
        """Wait until the child has said something, or ended; an answer where it went beyond a bound."""
        cpu, began = _cpu_s(process.pid), time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
            while True:
                said = selector.select(_LOOK_EVERY_S)
                peak = _peak_bytes(process.pid)
                reason = ""
                if peak > MOST_BYTES:
                    reason = "over 1 GB"
                elif _cpu_s(process.pid) - cpu > MOST_CPU_S or time.monotonic() - began > MOST_WALL_S:
                    reason = f"over {MOST_CPU_S:.0f} s"
                if reason:
                    place = self._place_of_hang(process)
                    return Answer("fault", reason, place)
                if said:
                    return None

    def _place_of_hang(self, process: subprocess.Popen[str]) -> str:
        """End a child and return where in the library it was."""
        process.send_signal(signal.SIGABRT)  # faulthandler writes the stack
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5.0)
        self._stop()
        return _crash_place(self._errors.read_text())

    def _started(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(Path(__file__).with_name("child.py")), *self._arguments]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "REFMASTER_CACHE": self._arguments[0]}
        with self._errors.open("w") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # with the decoders it may start
                env=environment,
            )
        self._process = process
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", self._errors.read_text()
        return process

    def _stop(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]
        self._process.wait()
        self._process = None


def _crash_place(stack: str) -> str:
    """Return the innermost function of the library in a stack that faulthandler wrote."""
    for line in stack.splitlines():
        _, found, tail = line.partition(
            "/refmaster/refmaster/" if "/refmaster/refmaster/" in line else "/refmaster/"
        )
        if found:
            name, _, rest = tail.partition('", line ')
            return f"{name}:{rest.replace(' in ', ' ')}"
    return ""


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS_PER_S  # its own and of what it waited for


def _peak_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
