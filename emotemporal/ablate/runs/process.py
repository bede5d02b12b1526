"""One run of a study: started as its own process, found finished, or told why it failed."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from filelock import FileLock, Timeout

from emotemporal.ablate.runs.plan import PlannedRun, differs_from
from emotemporal.config import ConfigError, load_yaml, parse_plain, to_plain, to_yaml
from emotemporal.evaluation.evaluate import EvaluateConfig
from emotemporal.run_folder import RunFolderError
from emotemporal.storage import file_digest, write_atomically, write_json
from emotemporal.timing import Clock

_RECORD = "ablate.json"
"""What the study notes in a run folder when its job has ended."""
_LOOK_EVERY_S = 0.3
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A run or an evaluation that did not end well; the study goes on."""

    what: str
    """Such as `mixup, seed 0`."""
    reason: str
    log: Path


class Starter(Protocol):
    """Starts a job by the name of its command and waits for it."""

    def __call__(self, command: str, config: Path, log: Path, stop: Event) -> int:
        """Return the job's exit code; its words are added to `log`. `stop` asks it to stop."""


def start_process(command: str, config: Path, log: Path, stop: Event) -> int:
    """Run `emotemporal COMMAND --config FILE` as a process of its own; see `Starter`.

    The process is no part of this one's group: ctrl-C reaches it once, from here, and so it saves
    its state before it leaves.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "emotemporal.cli", command, "--config", str(config)]
    with log.open("ab") as out:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        is_asked = False
        try:
            while True:
                try:
                    return child.wait(_LOOK_EVERY_S)
                except subprocess.TimeoutExpired:
                    if stop.is_set() and not is_asked:
                        child.terminate()
                        is_asked = True
        except BaseException:
            child.kill()
            child.wait()
            raise


def has_finished(run: PlannedRun) -> bool:
    """Return whether the run is done, by what its folder says it holds.

    Raises:
        RunFolderError: The folder holds a run of another config, data aside.
    """
    claim = run.folder / "run.json"
    if not claim.exists():
        return False
    _refuse_another(run, json.loads(claim.read_text(encoding="utf-8")))
    return bool(_record_of(run).get("is_done"))


def _refuse_another(run: PlannedRun, claim: dict[str, Any]) -> None:
    # Read as a config of today: an option that is new since has its default in both.
    text = (run.folder / "config.yaml").read_text(encoding="utf-8")
    try:
        found = parse_plain(type(run.config), load_yaml(text, "config.yaml"), run.job)
        differing = differs_from(found, run.config)
    except ConfigError as error:
        differing = [str(error)]
    if claim["job"] != run.job:
        differing = [f"job: there {claim['job']!r}, here {run.job!r}"]
    for name, digest in claim["config"].get("digests", {}).items():
        if Path(name).is_file() and file_digest(Path(name)) != digest:
            differing.append(f"{name}: its contents have changed since")
    if differing:
        raise RunFolderError(
            f"{run.folder} holds a run of another config:\n  "
            + "\n  ".join(differing)
            + "\nGive the change another name, use another --out, or remove that folder."
        )


def train(run: PlannedRun, start: Starter, stop: Event, clock: Clock) -> Failure | None:
    """Run the job, or go on with it where it stopped; note in its folder that it has ended."""
    plan = _plan_file(run, run.name)
    write_atomically(plan, to_yaml(run.config).encode())
    log = log_of(run)
    _wait_until_free(run.folder, stop)
    at, began = _size(log), clock()
    code = start(run.job, plan, log, stop)
    if code == 0:
        seconds = _record_of(run).get("seconds", 0.0) + clock() - began
        write_json(run.folder / _RECORD, {"is_done": True, "seconds": seconds})
        return None
    _note_time(run, clock() - began)
    return Failure(f"{run.change}, seed {run.seed}", reason_in(log, at, code), log)


def _wait_until_free(folder: Path, stop: Event) -> None:
    """Wait for the process of a study that was killed outright: it goes on with this very run."""
    is_told = False
    while folder.is_dir() and not stop.is_set():
        try:
            with FileLock(folder / ".lock", timeout=0):
                return
        except Timeout:
            if not is_told:
                _log.info("%s is at work still, of a study that was killed; waiting for it", folder)
            is_told = True
            stop.wait(_LOOK_EVERY_S)


def judge(run: PlannedRun, name: str, start: Starter, stop: Event) -> Failure | None:
    """Do one evaluation of a finished run's checkpoint, unless it is done already."""
    config = run.evaluations[name]
    if has_judged(config):
        return None
    plan = _plan_file(run, f"{run.name}.{Path(config.json).stem}")
    write_atomically(plan, to_yaml(config).encode())
    log = log_of(run)
    at = _size(log)
    code = start("evaluate", plan, log, stop)
    if code == 0:
        return None
    what = f"{run.change}, seed {run.seed}, evaluation {name}"
    return Failure(what, reason_in(log, at, code), log)


def has_judged(config: EvaluateConfig) -> bool:
    """Return whether the evaluation's files are there, of this config and this checkpoint."""
    assert config.checkpoint is not None
    figures, checkpoint = Path(config.json), Path(config.checkpoint)
    if not figures.is_file() or not Path(config.predictions).is_file():
        return False
    origin = json.loads(figures.read_text(encoding="utf-8"))["origin"]
    if checkpoint.is_file() and file_digest(checkpoint) != origin["checkpoint_sha256"]:
        return False
    try:
        found = parse_plain(EvaluateConfig, origin["config"], "evaluate")
    except ConfigError:
        return False
    return _what_is_judged(found) == _what_is_judged(config)


def _what_is_judged(config: EvaluateConfig) -> dict[str, Any]:
    where = ("checkpoint", "json", "predictions", "report", "cache", "device", "workers")
    return {name: value for name, value in to_plain(config).items() if name not in where}


def log_of(run: PlannedRun) -> Path:
    """Return the file with everything that a run's processes said."""
    return run.folder.parent.parent / "logs" / f"{run.name}.log"


def seconds_of(run: PlannedRun) -> float:
    """Return how long the run's processes have taken, those that failed or stopped too."""
    return float(_record_of(run).get("seconds", 0.0))


def reason_in(log: Path, at: int, code: int) -> str:
    """Say why a process left with `code`, from what it wrote to its log from byte `at` on."""
    said = log.read_bytes()[at:].decode(errors="replace").strip() if log.exists() else ""
    lines = [line for line in said.splitlines() if line.strip()]
    told = [i for i, line in enumerate(lines) if line.startswith("error: ")]
    if told:
        return "\n".join(lines[told[-1] :]).removeprefix("error: ")
    if code < 0:
        return f"killed by {signal.Signals(-code).name}; too little memory, perhaps"
    return lines[-1] if lines else f"it left with code {code} and said nothing"


def _plan_file(run: PlannedRun, name: str) -> Path:
    return run.folder.parent.parent / "plan" / f"{name}.yaml"


def _record_of(run: PlannedRun) -> dict[str, Any]:
    path = run.folder / _RECORD
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _note_time(run: PlannedRun, seconds: float) -> None:
    if run.folder.is_dir():
        before = _record_of(run).get("seconds", 0.0)
        write_json(run.folder / _RECORD, {"is_done": False, "seconds": before + seconds})


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
