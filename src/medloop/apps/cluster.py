"""``medloop analyze --cluster``: the same runs, spread over the machines of a Ray cluster.

Inputs and OUT are folders that all machines see under the same path. What has ended stands in a
journal in OUT until all is done, so that a run which was interrupted goes on where it was.
"""

import hashlib
import json
import logging
import traceback
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import medloop
from medloop.apps.analyze import (
    Desk,
    Known,
    Summary,
    Tell,
    past_of,
    run_of,
    summarize,
    tell,
)
from medloop.apps.bootstrap import choose_analyses
from medloop.apps.console import Exit, note
from medloop.apps.output import require_folder
from medloop.apps.settings import Settings
from medloop.core.errors import ServiceError
from medloop.core.study import Selection, Study
from medloop.workflow.intake import FolderArchive, Intake
from medloop.workflow.pipeline import run_all
from medloop.workflow.prior import line_of
from medloop.workflow.routing import Route
from medloop.workflow.worker import Ending, Outcome

if TYPE_CHECKING:
    from medloop.workflow.ports import Analysis

JOURNAL: Final = ".cluster.jsonl"
LOSSES: Final = 3  # a run that this many processes were lost on fails
log = logging.getLogger(__name__)

_BATCH: Final = 8  # runs that overlap in one process


@dataclass(frozen=True, slots=True)
class Order:
    """What every process must know: which analyses, how set up, and where results go."""

    names: tuple[str, ...]
    settings: Settings
    out: Path
    prior: Path | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One run to do elsewhere: a route without its analysis, which holds networks."""

    number: int
    study: Study
    analysis: str
    selection: Selection
    folder: str


@dataclass(frozen=True, slots=True)
class _Group:
    """Runs for one process, in order; `is_line`: each may read what those before it wrote."""

    items: tuple[Item, ...]
    is_line: bool = False
    losses: int = 0


class Reader:
    """What runs in each process: its networks stay loaded from run to run."""

    def __init__(self, order: Order) -> None:
        self._analyses = {
            each.name: each for each in choose_analyses(order.names, order.settings)
        }
        past = past_of(order.out, order.prior, tuple(self._analyses.values()))
        self._desk = _desk(order, tuple(self._analyses.values()), past)

    def read(self, items: Sequence[Item]) -> list[tuple[int, Outcome]]:
        """Do runs, and say by number how each ended."""
        told: list[tuple[int, Outcome]] = []
        studies = tuple({each.study.uid: each.study for each in items}.values())
        archive = FolderArchive(Intake(studies, ()))
        runs = [
            run_of(_route(each, self._analyses[each.analysis]), archive, self._desk)
            for each in items
        ]
        run_all(runs, lambda n, outcome: told.append((items[n].number, outcome)))
        return told


def answer(options: Namespace, settings: Settings) -> Exit:
    """Answer ``medloop analyze --cluster``; raises as `analyze_on_cluster` does."""
    order = Order(tuple(options.analyses), settings, options.out, options.prior)
    summary = analyze_on_cluster(
        options.inputs, order, options.cluster, are_named=bool(options.analyses)
    )
    return tell(summary, options.out, as_json=options.json)


def analyze_on_cluster(
    inputs: Sequence[Path], order: Order, address: str, *, are_named: bool
) -> Summary:
    """Analyze all inputs on a Ray cluster; results are those of one machine.

    `address` is ``auto`` (the cluster of this machine, or one that is started on it) or
    ``ray://HOST:PORT``.

    Raises
    ------
    UsageError
        If OUT is a file, or there is no such analysis.
    ServiceError
        If Ray is not installed, or the cluster cannot be reached.
    """
    if find_spec("ray") is None:
        raise ServiceError(
            "--cluster needs Ray, which is not installed: pip install 'medloop[cluster]'"
        )
    require_folder(order.out)
    order.out.mkdir(parents=True, exist_ok=True)
    home = order.settings.home.resolve()
    order = replace(order, out=order.out.resolve(), settings=replace(order.settings, home=home))
    analyses = choose_analyses(order.names, order.settings)
    past = past_of(order.out, order.prior, analyses)
    journal = Journal(order.out / JOURNAL, order)
    desk = replace(
        _desk(order, analyses, past),
        are_named=are_named,
        scratch=order.out,
        do=lambda routes, say: _spread(routes, say, order, address, journal),
    )
    summary = summarize(inputs, desk)
    if not summary.trouble:
        journal.remove()
    return summary


def _desk(order: Order, analyses: "Sequence[Analysis]", past: Known) -> Desk:
    return Desk(tuple(analyses), order.out, order.settings.language, past)


def _route(item: Item, analysis: "Analysis") -> Route:
    return Route(item.study, analysis, item.selection, item.folder)


def _item(number: int, route: Route) -> Item:
    """Name files as every machine finds them."""
    selection = Selection(
        tuple(
            replace(
                series,
                instances=tuple(
                    replace(instance, path=instance.path.absolute())
                    for instance in series.instances
                ),
            )
            for series in route.selection.series
        )
    )
    return Item(number, route.study, route.analysis.name, selection, route.folder)


def _spread(
    routes: Sequence[Route], say: Tell, order: Order, address: str, journal: "Journal"
) -> None:
    """Do the runs that the journal does not know, and note each as it ends."""
    items = [_item(number, route) for number, route in enumerate(routes)]
    known = journal.read()
    open_items: list[tuple[Item, str]] = []
    for item, route in zip(items, routes, strict=True):
        outcome = known.get(journal.key(item))
        if outcome is not None:
            say(item.number, outcome)
        else:
            open_items.append((item, line_of(route)))
    if len(open_items) < len(items):
        note(f"medloop: {len(items) - len(open_items)} of {len(items)} were done before")
    if not open_items:
        return
    by_number = {item.number: item for item in items}

    def done(number: int, outcome: Outcome) -> None:
        journal.add(by_number[number], outcome)
        say(number, outcome)

    with _connected(address) as count:
        _do(_groups(open_items, count), done, order, count)


def _groups(items: Sequence[tuple[Item, str]], processes: int) -> list[_Group]:
    """Keep together what is compared; put some of the others together, so that runs overlap."""
    lines: dict[str, list[Item]] = {}
    for item, line in items:
        if line:
            lines.setdefault(line, []).append(item)
    single = [item for item, line in items if not line]
    size = max(1, min(_BATCH, len(single) // (4 * processes)))
    groups = [_Group(tuple(each), is_line=True) for each in lines.values()]
    groups += [
        _Group(tuple(single[start : start + size])) for start in range(0, len(single), size)
    ]
    return groups


def _do(groups: list[_Group], done: Tell, order: Order, processes: int) -> None:
    """Give each process a group at a time; a process that dies is replaced."""
    import ray

    # Ray restarts an actor that died; what it was busy with is ours to try again.
    remote: Any = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=0)(Reader)
    idle = [remote.remote(order) for _ in range(min(processes, len(groups)))]
    waiting, busy = groups[::-1], dict[Any, tuple[Any, _Group]]()
    while waiting or busy:
        while waiting and idle:
            actor, group = idle.pop(), waiting.pop()
            busy[actor.read.remote(group.items)] = (actor, group)
        (ready, *_), _ = ray.wait(list(busy))
        actor, group = busy.pop(ready)
        idle.append(actor)
        try:
            endings = ray.get(ready)
        except ray.exceptions.RayActorError as error:
            if getattr(error, "actor_init_failed", False):
                reason = "a process of the cluster cannot begin: is medloop the same on it?"
                raise ServiceError(reason) from error
            waiting += _lost(group, done)
        except ray.exceptions.RayError as error:
            raise ServiceError(f"the cluster failed: {type(error).__name__}") from error
        else:
            for number, outcome in endings:
                done(number, outcome)


def _lost(group: _Group, done: Tell) -> Iterator[_Group]:
    """Try again what a process was lost on: singly, and not for ever."""
    losses = group.losses + 1
    if not group.is_line and len(group.items) > 1:
        yield from (_Group((item,)) for item in group.items)
    elif losses < LOSSES:
        yield replace(group, losses=losses)
    else:
        for item in group.items:
            reason = f"quarantined: {LOSSES} processes were lost on it"
            done(item.number, Outcome(Ending.FAILED, reason))


def _start(quiet: dict[str, Any]) -> None:
    """Start a cluster here; on a busy machine Ray gives its parts too little time, so twice.

    What then fails is an assertion, or an Exception of no other class. Of the assertions on
    the way (Ray 2.60) one alone depends on another process: that the session's name is read
    back as it was written (`Node._write_cluster_info_to_kv`). The log says which it was.
    """
    import ray

    try:
        _begin(quiet)
    except Exception as error:
        if type(error) not in (AssertionError, Exception):
            raise  # another try would end in the same way
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} in {at.name}, line {at.lineno}"
        log.warning("the cluster did not start, once more: %s", place)
        ray.shutdown()
        _begin(quiet)


def _begin(quiet: dict[str, Any]) -> None:
    """Start a cluster; of one that does not start Ray forgets the processes, so end them."""
    import ray
    from ray._private.node import Node

    try:
        ray.init(include_dashboard=False, **quiet)
    except BaseException as error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            node = frame.f_locals.get("self")
            if isinstance(node, Node):
                kill: Any = node.kill_all_processes
                kill(check_alive=False, allow_graceful=True, wait=True)
                break
        raise


@contextmanager
def _connected(address: str) -> Iterator[int]:
    """Reach the cluster; yields how many processes it has room for."""
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == "auto":
            _start(quiet)
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray itself raises Exception where it cannot begin
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ServiceError(f"the cluster at {address} cannot be reached: {said[0]}") from error
    try:
        held: Any = ray.cluster_resources()  # type: ignore[no-untyped-call]
        yield max(1, int(held.get("CPU", 1)))
    finally:
        ray.shutdown()


@dataclass(frozen=True, slots=True)
class Journal:
    """What has ended in a run that may be interrupted, a line each; relative to OUT."""

    path: Path
    order: Order

    def read(self) -> dict[str, Outcome]:
        """Return what ended before; results that are not there any more do not count."""
        known = {}
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        for line in lines:
            try:
                facts = json.loads(line)
                folder = self.order.out / facts["path"] if facts["path"] else None
                outcome = Outcome(Ending(facts["state"]), facts["reason"], folder)
            except (ValueError, KeyError, TypeError):  # cut short when the machine stopped
                continue
            if folder is None or (folder / "result.json").is_file():
                known[facts["key"]] = outcome
        return known

    def add(self, item: Item, outcome: Outcome) -> None:
        """Note how a run ended, unless it is worth another try."""
        if outcome.state is Ending.RETRY:
            return
        place = outcome.path.relative_to(self.order.out).as_posix() if outcome.path else ""
        facts = {
            "key": self.key(item),
            "state": outcome.state.value,
            "reason": outcome.reason,
            "path": place,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")

    def remove(self) -> None:
        """Forget everything: all is done."""
        self.path.unlink(missing_ok=True)

    def key(self, item: Item) -> str:
        """Name a run by all that its result depends on, files by size and time of change."""
        settings = self.order.settings
        files = []
        for series in item.selection.series:
            for instance in series.instances:
                facts = instance.path.stat()
                files.append((instance.uid, facts.st_size, facts.st_mtime_ns))
        how = (settings.language, settings.precision, settings.four_class, medloop.__version__)
        what = (item.study.uid, item.analysis, item.folder, str(self.order.prior))
        return hashlib.sha256(repr((how, what, files)).encode()).hexdigest()
