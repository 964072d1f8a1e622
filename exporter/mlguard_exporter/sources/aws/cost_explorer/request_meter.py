"""Counts each request to Cost Explorer before it is sent, and keeps below the month's limit."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError
from sqlite_utils import Migrations

from mlguard_exporter.sources.aws.errors import outcome_of
from mlguard_exporter.sources.protocol import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from mlguard_common.database import TransactAndWait

REQUEST_USD = Decimal("0.01")
"""What AWS charges for a request to Cost Explorer."""
ANSWERED = "success"

migrations = Migrations("mlguard-requests")


@migrations()
def initial(db: Database) -> None:
    """Create the tables: requests sent in each UTC month, and how they ended."""
    db.execute(
        "CREATE TABLE requests_sent (account TEXT NOT NULL, month TEXT NOT NULL,"
        " n INTEGER NOT NULL, PRIMARY KEY (account, month)) STRICT, WITHOUT ROWID"
    )
    db.execute(
        "CREATE TABLE requests_ended (account TEXT NOT NULL, operation TEXT NOT NULL,"
        " outcome TEXT NOT NULL, n INTEGER NOT NULL,"
        " PRIMARY KEY (account, operation, outcome)) STRICT, WITHOUT ROWID"
    )


class LimitError(SourceError):
    """The month's limit of requests is reached."""


class RequestCounts(NamedTuple):
    """Requests of one account.

    Attributes:
        sent: all that were ever sent, each of which AWS may charge.
        ended: counts by (operation, outcome), without those that a killed process sent.
    """

    sent: int
    ended: dict[tuple[str, str], int]


class RequestMeter:
    """Counts the requests of one account, retries included, and enforces its limit.

    Args:
        account: its name.
        limit: of requests in a UTC month.
        transact: runs a job on the database.
        clock: epoch seconds.
    """

    def __init__(
        self, account: str, limit: int, transact: TransactAndWait, clock: Callable[[], float]
    ) -> None:
        self._account = account
        self._limit = limit
        self._transact = transact
        self._clock = clock

    def watch(self, client: Any) -> None:
        """Count what a client of Cost Explorer sends; beyond the limit its calls raise LimitError.

        A request is counted and stored before it is sent, so that a crash loses no count.
        """
        client.meta.events.register("before-send.cost-explorer", self._before)
        client.meta.events.register("response-received.cost-explorer", self._after)

    def _before(self, **_: object) -> None:
        now = self._clock()
        self._transact(lambda db: self._reserve(db, now))

    def _reserve(self, db: Database, now: float) -> None:
        month = _month(now)
        if sent_in_month(db, self._account, now) >= self._limit:
            raise LimitError(
                f"the limit of {self._limit} requests to Cost Explorer in {month} is reached;"
                " raise cost.max_requests_per_month, or wait for the next month"
            )
        db.execute(
            "INSERT INTO requests_sent VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
            (self._account, month),
        )

    def _after(
        self, parsed_response: dict[str, Any] | None, exception: Exception | None, **more: Any
    ) -> None:
        if isinstance(exception, LimitError):
            return
        operation = more["event_name"].rpartition(".")[2]
        outcome = _outcome(parsed_response or {}, exception, operation)
        self._transact(
            lambda db: db.execute(
                "INSERT INTO requests_ended VALUES (?, ?, ?, 1)"
                " ON CONFLICT DO UPDATE SET n = n + 1",
                (self._account, operation, outcome),
            )
        )


def _outcome(answer: dict[str, Any], exception: Exception | None, operation: str) -> str:
    if exception is None and "Error" in answer:
        exception = ClientError(answer, operation)
    return ANSWERED if exception is None else outcome_of(exception)


def sent_in_month(db: Database, account: str, now: float) -> int:
    """Return the number of requests sent in the UTC month of `now`, in epoch seconds."""
    found = db.execute(
        "SELECT n FROM requests_sent WHERE account = ? AND month = ?", (account, _month(now))
    ).fetchone()
    return int(found[0]) if found else 0


def _month(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m")


def count_requests(db: Database, account: str) -> RequestCounts:
    """Return how many requests an account has sent, and how they ended."""
    (sent,) = db.execute(
        "SELECT coalesce(sum(n), 0) FROM requests_sent WHERE account = ?", (account,)
    ).fetchone()
    ended = db.execute(
        "SELECT operation, outcome, n FROM requests_ended WHERE account = ?", (account,)
    )
    return RequestCounts(sent, {(operation, outcome): n for operation, outcome, n in ended})
