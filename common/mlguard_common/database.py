"""SQLite databases: migrations, WAL mode, and one process that owns each file."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Protocol, TypeVar

from sqlite_utils import Database

from mlguard_common.errors import MLGuardError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from sqlite_utils import Migrations


T = TypeVar("T")


class Transact(Protocol):
    """Function that runs a job on a database in one transaction."""

    def __call__(self, job: Callable[[Database], T]) -> Awaitable[T]:
        """Run the job, and return its result."""


class TransactAndWait(Protocol):
    """Function like `Transact` for other threads than the event loop's: it waits."""

    def __call__(self, job: Callable[[Database], T]) -> T:
        """Run the job, and return its result."""


class StoreError(MLGuardError):
    """Database that cannot be used; the text says why and what to do."""


class DamagedError(StoreError):
    """File that is not a database, or an incomplete one."""


_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_ERROR,  # a table or column that was there is gone
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error means a damaged file, rather than one that is unusable for now."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _DAMAGE


class DatabaseThread:
    """A database, and the single thread that uses it.

    Attributes:
        db: the database; other threads may use it only before the first job.
    """

    def __init__(self, db: Database) -> None:
        self.db = db
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")

    async def run(self, job: Callable[[], T]) -> T:
        """Run a job in the thread, after all earlier ones, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, job)

    def run_and_wait(self, job: Callable[[], T]) -> T:
        """Run a job in the thread, and block until it is done."""
        return self._executor.submit(job).result()

    async def transact(self, job: Callable[[Database], T]) -> T:
        """Run a job on the database in one transaction, and return its result.

        Raises:
            sqlite3.Error: the transaction failed.
        """

        def atomic() -> T:
            with self.db.atomic():
                return job(self.db)

        return await self.run(atomic)

    def close(self) -> None:
        """Finish all jobs and close the database."""
        self._executor.shutdown()
        self.db.conn.close()


def acquire_lock(path: Path) -> IO[str]:
    """Lock a database that other processes may open too, until the returned file is closed.

    Raises:
        StoreError: another process holds the lock, or the folder is not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _in_use(path) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
    return lock


def open_database(path: Path, *migrations: Migrations, shared: bool = False) -> Database:
    """Open a database; its folder is created if necessary.

    The connection may be used from any thread, but only from one at a time.

    Args:
        path: the file.
        migrations: migrations that create its tables.
        shared: whether other processes may open it at the same time.

    Raises:
        DamagedError: the file is damaged.
        StoreError: another process has it, or it cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=5.0 if shared else 1.0, check_same_thread=False, isolation_level=None
        )
        db = Database(connection)
        if not shared:
            db.execute(
                "PRAGMA locking_mode = EXCLUSIVE"
            )  # a second process would keep counts of its own
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has an effect only on a new file
        db.execute("PRAGMA journal_mode = WAL")
        # in WAL mode a commit survives a crash of the process; with FULL it survives a power
        # failure too, at the cost of one fsync
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -2048")
        db.execute("PRAGMA journal_size_limit = 4194304")
        for part in migrations:
            _refuse_newer(db, part, path)
            part.apply(db)
    except (OSError, sqlite3.Error) as error:
        if "locked" in str(error):
            raise _in_use(path) from error
        if isinstance(error, sqlite3.Error) and is_damage(error):
            raise DamagedError(f"{path} is damaged: {error}") from error
        raise StoreError(f"{path} cannot be used: {error}") from error
    except (ValueError, LookupError, TypeError) as error:  # SQLite returned nonsense
        raise DamagedError(f"{path} is damaged: {error}") from error
    return db


def _refuse_newer(db: Database, migrations: Migrations, path: Path) -> None:
    """Raise StoreError where all known migrations are applied, and others too."""
    with contextlib.closing(sqlite3.connect(":memory:")) as empty:
        known = {step.name for step in migrations.pending(Database(empty))}
    applied = {step.name for step in migrations.applied(db)}
    if known < applied:
        raise StoreError(
            f"{path} was written by a newer version of ML Guard; run that version, or give this"
            " one its own --data-dir"
        )


def open_to_read(path: Path) -> Database:
    """Open a database read-only; its owner may be using it.

    Raises:
        StoreError: it does not exist, or cannot be read.
    """
    if not path.exists():
        raise StoreError(f"{path} does not exist: start the daemon first, or give its --data-dir")
    try:
        try:
            return _open_to_read(path, "mode=ro")
        except sqlite3.OperationalError:
            if path.with_name(f"{path.name}-wal").exists():
                raise
            # no process has it open, and a reader without write access could not share it anyway
            return _open_to_read(path, "mode=ro&immutable=1")
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


def _open_to_read(path: Path, how: str) -> Database:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, timeout=5.0, isolation_level=None
    )
    db = Database(connection)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return db


def _in_use(path: Path) -> StoreError:
    return StoreError(
        f"{path.parent} is in use by another process of ML Guard; give this one its own --data-dir"
    )
