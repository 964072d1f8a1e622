"""Commands for people end in a line that they understand, whatever happens."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlguard_common.config import ConfigError
from mlguard_common.database import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

_INTERRUPTED = 130
_NOBODY_READS = 141


def for_people(run: Callable[[], int]) -> int:
    """Run a command; its exit status.

    Raises:
        ConfigError: it cannot be run as it is asked for.
        StoreError: the database cannot be used.
    """
    try:
        return run()
    except (ConfigError, StoreError):
        raise
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return _INTERRUPTED
    except BrokenPipeError:
        # so that nothing is told when Python closes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOBODY_READS
    except OSError as error:
        sys.stderr.write(f"mlguard-exporter: {error}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - no traceback helps those who set up AWS
        text = " ".join(str(error).split())
        sys.stderr.write(f"mlguard-exporter: a fault of ML Guard: {type(error).__name__}: {text}\n")
        return 1


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)
