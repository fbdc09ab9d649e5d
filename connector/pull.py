"""The pull: walk the CRM's objects into the spool, then stage them. Never writes to the CRM."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from connector.errors import AuthenticationError, ProtocolError, RemoteError
from connector.incoming import UnreadableRowsError
from connector.mapping import CompiledMapping
from connector.needs import NO_NEEDS, Needs
from connector.ports import Adapter, ObjectInfo, PullRequest
from connector.row_shape import Reject, RowCheck
from connector.shrink import ShrunkenPullError
from connector.spool import Spool, Walk
from connector.staging import Loading, Staged, has_paths, stage
from connector.warehouse import Warehouse
from connector.warehouse_tables import Pulled
from connector.workspace import Workspace
from policies.messages import message

WORKERS = 20
_PROGRESS_PAGES = 25


class ObjectReport(msgspec.Struct, frozen=True):
    """What one object brought. `kind` is full or incremental; `problems` and `orphans` count what
    stands in the warehouse now, `examples` names the first problems by record and field; `error`
    says why the object could not be read."""

    object: str
    kind: str
    rows: int = 0
    pages: int = 0
    deleted: int = 0
    rejected: int = 0
    problems: int = 0
    orphans: int = 0
    error: str = ""
    examples: tuple[Reject, ...] = ()


class PullReport(msgspec.Struct, frozen=True):
    """What a pull brought. `rebuilt`: the staged copy was of another version and is filled anew."""

    objects: tuple[ObjectReport, ...]
    seconds: float
    fetch_seconds: float
    partial: bool
    rebuilt: bool = False


@dataclass(frozen=True)
class _Task:
    name: str
    since: datetime | None
    loaded: str
    recipe: str


@dataclass(frozen=True)
class _Ways:
    """How many days old the last full pull of an object may be (one that is not named is pulled in
    full), and the way in which each is asked for."""

    full_every: Mapping[str, int]
    recipes: Mapping[str, str]


@dataclass(frozen=True)
class _Outcome:
    task: _Task
    walk: Walk | None
    error: RemoteError | None = None


def pull(  # noqa: PLR0913 - what to pull, where from, where to, and the say of the caller
    workspace: Workspace,
    adapter: Adapter,
    warehouse: Warehouse,
    *,
    mapping: CompiledMapping,
    now: Callable[[], datetime],
    objects: Mapping[str, ObjectInfo] = MappingProxyType({}),
    needs: Needs = NO_NEEDS,
    full: bool = False,
    accept_shrink: bool = False,
    progress: Callable[[str], None] = lambda _message: None,
) -> PullReport:
    """Bring the staged copy up to date: what changed since the last pull, or everything.

    `objects`: what the CRM says of its objects: one that cannot tell what changed is pulled in full
    each time, and one that is asked for in another way than before is pulled anew. `needs`: what
    the policy wants besides the mapping's facts, with its fields compiled into `mapping`; more
    fields of the CRM than the last time mean that the customers are pulled in full.
    A pull that broke off goes on behind the last page that it kept. Raises RefusedError when what
    came looks empty, shrunken or blank-keyed; RemoteError when the CRM could not be asked.
    """
    started = now()
    known = warehouse.pulls()
    rebuilt = not known and warehouse.path.exists() and not warehouse.exists()
    if rebuilt:
        progress(message(workspace.language, "progress.rebuilt"))
    ways = _ways(workspace, mapping, objects, full=full)
    tasks = _tasks(workspace, mapping, known, started, ways)

    def tell(name: str, rows: int) -> None:
        values = {"object": name, "count": f"{rows:,}"}
        progress(message(workspace.language, "progress.records", **values))

    outcomes = _Fetch(adapter, mapping, Spool(workspace.spool_path), now, tell).run(tasks)
    _raise_if_hopeless(mapping, outcomes)
    fetched = now()
    progress(message(workspace.language, "progress.staging"))
    walks = [each.walk for each in outcomes if each.walk is not None]
    unreadable = [outcome.task.name for outcome in outcomes if outcome.walk is None]
    loading = Loading(walks, unreadable, fetched, accept_shrink, anew=rebuilt, needs=needs)
    staged = _staged(warehouse, mapping, loading)
    kept = workspace.spool_path / "kept" if workspace.config.pull.keep_raw else None
    for walk in walks:
        walk.remove(kept)
    return PullReport(
        objects=tuple(_report(outcome, staged) for outcome in outcomes),
        seconds=(now() - started).total_seconds(),
        fetch_seconds=(fetched - started).total_seconds(),
        partial=bool(unreadable) or any(walk.manifest.rejected for walk in walks),
        rebuilt=rebuilt,
    )


def _staged(warehouse: Warehouse, mapping: CompiledMapping, loading: Loading) -> Staged:
    """Stage; what is refused is not kept, or it would be offered again the next time."""
    try:
        return stage(warehouse, mapping, loading)
    except (ShrunkenPullError, UnreadableRowsError):
        for walk in loading.walks:
            walk.remove()
        raise


def _tasks(
    workspace: Workspace,
    mapping: CompiledMapping,
    pulls: dict[str, Pulled],
    moment: datetime,
    ways: _Ways,
) -> list[_Task]:
    overlap = timedelta(minutes=workspace.config.pull.overlap_minutes)
    tasks = []
    for name in mapping.shapes:
        known, recipe = pulls.get(name), ways.recipes.get(name, "")
        since = None
        if known is not None and known.watermark is not None and known.full_at is not None:
            young = moment - known.full_at < timedelta(days=ways.full_every.get(name, 0))
            same = known.recipe == recipe and has_paths(mapping, name, known.paths)
            if young and same:
                since = known.watermark - overlap
        tasks.append(_Task(name, since, known.walk if known else "", recipe))
    return tasks


def _ways(
    workspace: Workspace, mapping: CompiledMapping, objects: Mapping[str, ObjectInfo], *, full: bool
) -> _Ways:
    recipes = {name: info.recipe for name, info in objects.items()}
    return _Ways({} if full else _full_every(workspace, mapping, objects), recipes)


def _full_every(
    workspace: Workspace, mapping: CompiledMapping, objects: Mapping[str, ObjectInfo]
) -> dict[str, int]:
    """In days, for each object that can tell what changed."""
    longest = workspace.config.pull.full_every_days
    infos = {name: objects.get(name) for name in mapping.shapes}
    return {
        name: min(longest, (info and info.reconcile_days) or longest)
        for name, info in infos.items()
        if info is None or info.incremental
    }


class _BrokenOffError(RemoteError):
    """This walk ended because another one failed."""


class _Fetch:
    """Walks objects side by side, each walk page by page, until all are spooled or one fails."""

    def __init__(
        self,
        adapter: Adapter,
        mapping: CompiledMapping,
        spool: Spool,
        now: Callable[[], datetime],
        tell: Callable[[str, int], None],
    ) -> None:
        self._adapter = adapter
        self._mapping = mapping
        self._spool = spool
        self._now = now
        self._tell_rows = tell
        self._progress_lock = threading.Lock()
        self._stop = threading.Event()

    def run(self, tasks: list[_Task]) -> list[_Outcome]:
        workers = min(WORKERS, max(1, len(tasks)))
        with ThreadPoolExecutor(workers, thread_name_prefix="pull") as pool:
            futures = [pool.submit(self._one, task) for task in tasks]
            try:
                wait(futures)
            finally:
                self._stop.set()
        errors = [error for future in futures if (error := future.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, _BrokenOffError)):
            raise error
        return [future.result() for future in futures]

    def _one(self, task: _Task) -> _Outcome:
        shape = self._mapping.shapes[task.name]
        walk = self._spool.open(
            task.name, shape.fields, task.since, self._now, task.loaded, task.recipe
        )
        try:
            return self._walk_or_restart(task, walk)
        except (AuthenticationError, ProtocolError) as error:
            return _Outcome(task, None, error)
        except BaseException:
            self._stop.set()
            raise

    def _walk_or_restart(self, task: _Task, walk: Walk) -> _Outcome:
        """A CRM may have forgotten an old page token: then the walk begins anew, once."""
        resumed = walk.manifest.resume is not None
        try:
            self._walk(task, walk)
        except ProtocolError:
            if not resumed:
                raise
            shape = self._mapping.shapes[task.name]
            walk = self._spool.restart(task.name, shape.fields, task.since, self._now, task.recipe)
            self._walk(task, walk)
        return _Outcome(task, walk)

    def _walk(self, task: _Task, walk: Walk) -> None:
        manifest = walk.manifest
        if manifest.done:
            return
        shape = self._mapping.shapes[task.name]
        check = RowCheck(shape, manifest.unseen)
        request = PullRequest(
            object=task.name,
            fields=shape.fields,
            since=task.since,
            resume=manifest.resume,
            deletions=task.since is not None,
        )
        with _kept(walk):
            for page in self._adapter.pull(request):
                walk.keep(page, check)
                if manifest.pages % _PROGRESS_PAGES == 0:
                    self._tell(task.name, manifest.rows)
                if self._stop.is_set():
                    raise _BrokenOffError(
                        f"the pull of {task.name} was broken off",
                        "run the command again: it goes on behind the last page that was kept",
                    )
            walk.finish()

    def _tell(self, name: str, rows: int) -> None:
        with self._progress_lock:
            self._tell_rows(name, rows)


@contextmanager
def _kept(walk: Walk) -> Iterator[None]:
    """However the walk ends, the pages that came stay for the next pull."""
    try:
        yield
    except BaseException:
        walk.checkpoint()
        raise


def _raise_if_hopeless(mapping: CompiledMapping, outcomes: list[_Outcome]) -> None:
    """Without customers there is nothing to decide about, and nothing worth staging."""
    names = set(mapping.customer_objects)
    errors = [outcome.error for outcome in outcomes if outcome.task.name in names]
    if all(error is not None for error in errors):
        raise next(error for error in errors if error is not None)


def _report(outcome: _Outcome, staged: Staged) -> ObjectReport:
    task, walk = outcome.task, outcome.walk
    kind = "full" if task.since is None else "incremental"
    problems = staged.problems.get(task.name, 0)
    orphans = staged.orphans.get(task.name, 0)
    if walk is None:
        error = outcome.error.message if outcome.error else ""
        return ObjectReport(task.name, kind, problems=problems, orphans=orphans, error=error)
    manifest = walk.manifest
    return ObjectReport(
        object=task.name,
        kind=kind,
        rows=manifest.rows,
        pages=manifest.pages,
        deleted=manifest.deleted + staged.swept.get(task.name, 0),
        rejected=manifest.rejected,
        problems=problems,
        orphans=orphans,
        examples=tuple(staged.examples.get(task.name, ())),
    )
