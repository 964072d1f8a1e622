"""Forks, children of multiprocessing, and the process's end."""

import importlib.util
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import mlguard
from mlguard import Stats

SDK = Path(mlguard.__file__).parents[1]


def run(code, *args, timeout=30):
    """Run Python code in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(SDK)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_fork(work):
    """Run work in a forked child, which leaves at once; return the child's exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_parent_and_child_both_deliver_each_its_own(guard, sidecar):
    guard.log(y_pred="parent before")
    assert guard.flush()

    def work():
        assert guard.stats() == Stats(0, 0, 0, 0, {})
        assert guard.log(y_pred="child")
        assert guard.flush(10)
        assert guard.stats() == Stats(0, 1, 1, 0, {})

    assert in_fork(work) == 0
    guard.log(y_pred="parent after")
    assert guard.flush()
    assert sidecar.column("y_pred") == ["parent before", "child", "parent after"]
    assert [batch["seq"] for batch in sidecar.batches] == [1, 1, 2]
    assert len(sidecar.last_seqs) == 2
    assert sidecar.connections == 2  # the parent's was not disturbed
    assert guard.stats() == Stats(0, 2, 2, 0, {})


def test_what_the_parent_had_queued_is_the_parent_s_alone(guard, sidecar):
    sidecar.acks = False
    guard.log(y_pred="unacknowledged")
    while not sidecar.batches:
        guard.flush(0.01)
    for _ in range(100):
        guard.log(y_pred="queued")
    sidecar.acks = True
    assert in_fork(lambda: os._exit(0 if guard.flush(10) else 2)) == 0
    sidecar.acknowledge()
    assert guard.flush()
    assert sidecar.column("y_pred") == ["unacknowledged", *["queued"] * 100]


def test_a_guard_made_before_the_fork_is_another_client_in_each_worker(guard, sidecar):
    for _ in range(3):
        assert in_fork(lambda: (guard.log(y_pred=1) and guard.flush(10)) or os._exit(2)) == 0
    assert len(sidecar.last_seqs) == 3
    assert sidecar.events == 3


def test_a_closed_guard_stays_closed_in_the_child(guard):
    guard.log(y_pred=1)
    guard.close()
    assert in_fork(lambda: os._exit(2) if guard.log(y_pred=2) else None) == 0


@pytest.mark.parametrize("forks", [8, pytest.param(100, marks=pytest.mark.long)])
def test_forks_at_any_moment_never_dead_lock(make_guard, sidecar, forks):
    guard = make_guard(queue_size=500)
    done = threading.Event()

    def log_on():
        while not done.is_set():
            guard.log(features={"a": 1.5}, y_pred="parent")
            guard.log(features=5)  # takes the lock that counts
            guard.log_batch(y_pred=["parent"])

    threads = [threading.Thread(target=log_on) for _ in range(3)]
    for thread in threads:
        thread.start()

    def work():
        assert guard.log(y_pred="child")
        assert not guard.log(features=5)
        assert guard.log_batch(y_pred=["child"])
        assert guard.flush(20)

    codes = [in_fork(work) for _ in range(forks)]
    done.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * forks
    assert guard.flush(20)
    assert sidecar.column("y_pred").count("child") == 2 * forks
    assert set(sidecar.arrivals.values()) == {1}
    assert guard.stats().acknowledged == sidecar.events - 2 * forks


FORKING = """
    import multiprocessing, sys
    from mlguard import Guard

    guard = Guard("p", "m", socket=sys.argv[1])

    def work(number):
        assert guard.log(y_pred=number)

    guard.log(y_pred="main")
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=work, args=(n,)) for n in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
"""

# A spawned child imports the main module, which "-c" is not: its work is a text.
SPAWNING = """
    import multiprocessing, sys
    from mlguard import Guard

    if __name__ == "__main__":
        Guard("p", "m", socket=sys.argv[1]).log(y_pred="main")
        code = "from mlguard import Guard; g = Guard('p', 'm', socket=%r); g.log(y_pred=%d)"
        context = multiprocessing.get_context("spawn")
        children = [
            context.Process(target=exec, args=(code % (sys.argv[1], n), {})) for n in range(4)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
"""


class SlowHandler(logging.Handler):
    """Holds a lock while it writes, as a buffered file does."""

    def __init__(self):
        super().__init__()
        self.lock_inside = threading.Lock()
        self.writes, self.may_go_on = threading.Event(), threading.Event()

    def handle(self, record):
        # Without logging's own lock, which is renewed in a child, only the one inside counts.
        self.emit(record)
        return True

    def emit(self, record):
        assert record
        with self.lock_inside:
            self.writes.set()
            self.may_go_on.wait(30)


@pytest.fixture
def slow_handler():
    handler = SlowHandler()
    logging.getLogger("mlguard").addHandler(handler)
    yield handler
    handler.may_go_on.set()
    logging.getLogger("mlguard").removeHandler(handler)


def test_a_fork_waits_until_a_message_is_written(guard, slow_handler):
    guard.log(features=5)
    assert slow_handler.writes.wait(10)
    threading.Timer(0.02, slow_handler.may_go_on.set).start()

    def work():
        assert not guard.log(features=5)
        assert guard.log(y_pred=1)
        assert guard.flush(20)
        assert slow_handler.lock_inside.acquire(timeout=1)

    assert in_fork(work) == 0


def test_a_handler_that_hangs_holds_up_neither_the_host_nor_a_fork(guard, slow_handler):
    assert not guard.log(features=5)
    assert slow_handler.writes.wait(10)
    began = time.monotonic()
    assert guard.log(y_pred=1)
    assert not guard.log_batch(y_pred=5)

    def work():
        logging.getLogger("mlguard").removeHandler(slow_handler)
        assert guard.log(y_pred=2)
        assert guard.flush(20)

    assert in_fork(work) == 0
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("code", [FORKING, SPAWNING], ids=["fork", "spawn"])
def test_children_of_multiprocessing_deliver_before_they_leave(sidecar, code):
    run(code, sidecar.path)
    assert sorted(map(str, sidecar.column("y_pred"))) == ["0", "1", "2", "3", "main"]


def test_children_of_multiprocess_deliver_before_they_leave(sidecar):
    pytest.importorskip("multiprocess")
    run(FORKING.replace("multiprocessing", "multiprocess"), sidecar.path)
    assert sorted(map(str, sidecar.column("y_pred"))) == ["0", "1", "2", "3", "main"]


def test_guards_of_a_child_of_multiprocessing_leave_nothing_behind(sidecar):
    printed = run(
        """
        import multiprocessing, sys
        from multiprocessing import util
        from mlguard import Guard

        def work():
            for number in range(5):
                with Guard("p", "m", socket=sys.argv[1]) as guard:
                    guard.log(y_pred=number)
            print(len(util._finalizer_registry), flush=True)

        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
        """,
        sidecar.path,
    )
    assert printed == "1\n"
    assert sidecar.column("y_pred") == [0, 1, 2, 3, 4]


def test_prefork_workers_deliver_what_they_logged_last(sidecar):
    run(
        """
        import os, sys
        from mlguard import Guard

        guard = Guard("p", "m", socket=sys.argv[1])
        workers = []
        for number in range(3):
            worker = os.fork()
            if worker == 0:
                guard.log(y_pred=number)
                sys.exit(0)
            workers.append(worker)
        assert all(os.waitpid(worker, 0)[1] == 0 for worker in workers)
        """,
        sidecar.path,
    )
    assert sorted(sidecar.column("y_pred")) == [0, 1, 2]


def test_what_was_logged_last_is_delivered_at_exit(sidecar):
    run(
        """
        import atexit, sys
        from mlguard import Guard

        first = Guard("p", "m", socket=sys.argv[1])

        def log_in_a_function():
            Guard("p", "m", socket=sys.argv[1]).log(y_pred="forgotten")

        log_in_a_function()
        first.log_batch(y_pred=["batch"] * 3_000)
        first.log(y_pred="last")
        """,
        sidecar.path,
    )
    arrived = sidecar.column("y_pred")
    assert len(arrived) == 3_002
    assert {"forgotten", "batch", "last"} == set(arrived)


def test_what_a_function_s_own_guard_logged_is_delivered_at_exit(sidecar):
    run(
        """
        import sys
        from mlguard import Guard

        def main():
            guard = Guard("p", "m", socket=sys.argv[1])
            for number in range(9_000):
                guard.log(features={"a": number}, y_pred=number)

        main()
        """,
        sidecar.path,
    )
    assert sidecar.column("y_pred") == list(range(9_000))


def test_exit_waits_for_threads_that_still_log(sidecar):
    run(
        """
        import sys, threading, time
        from mlguard import Guard

        guard = Guard("p", "m", socket=sys.argv[1])

        def log_late():
            threading.main_thread().join()
            guard.log(y_pred="late")

        threading.Thread(target=log_late).start()
        """,
        sidecar.path,
    )
    assert sidecar.column("y_pred") == ["late"]


def test_exit_without_a_sidecar_takes_its_time_limit_once_for_all_guards(socket_path):
    printed = run(
        """
        import atexit, sys, time

        # Registered before the guards' own, and so called after it.
        atexit.register(lambda: print(time.monotonic() - ended))
        from mlguard import Guard

        guards = [Guard("p", "m", socket=sys.argv[1], flush_seconds=0.5) for _ in range(5)]
        for guard in guards:
            guard.log(y_pred=1)
        ended = time.monotonic()
        """,
        socket_path,
    )
    assert 0.45 < float(printed) < 1.5


def test_exit_delivers_where_no_thread_can_be_started(sidecar):
    printed = run(
        """
        import sys, threading
        from mlguard import Guard

        def refuse(_self):
            raise RuntimeError("can't create new thread at interpreter shutdown")

        sys.unraisablehook = lambda trouble: print(trouble.exc_value)
        works, cannot = (Guard("p", "m", socket=sys.argv[1]) for _ in range(2))
        works.log(y_pred="works")
        threading.Thread.start = refuse
        cannot.log(y_pred="cannot")
        """,
        sidecar.path,
    )
    assert printed == ""
    assert sorted(sidecar.column("y_pred")) == ["cannot", "works"]


def test_exit_is_not_held_up_by_a_sidecar_that_hangs(sidecar):
    sidecar.reads = False
    began = time.monotonic()
    run(
        """
        import sys
        from mlguard import Guard

        guard = Guard("p", "m", socket=sys.argv[1], flush_seconds=0.2)
        for _ in range(1_000):
            guard.log(features={"text": "x" * 10_000})
        """,
        sidecar.path,
    )
    assert time.monotonic() - began < 10


def test_a_child_of_multiprocessing_is_not_held_up_either(socket_path):
    began = time.monotonic()
    run(
        """
        import multiprocessing, sys
        from mlguard import Guard

        guard = Guard("p", "m", socket=sys.argv[1], flush_seconds=0.2)
        child = multiprocessing.get_context("fork").Process(target=guard.log)
        child.start()
        child.join()
        assert child.exitcode == 0
        """,
        socket_path,
    )
    assert time.monotonic() - began < 10


def test_a_signal_handler_may_log_while_the_host_logs(sidecar):
    printed = run(
        """
        import signal, sys
        from mlguard import Guard

        guard = Guard("p", "m", socket=sys.argv[1], queue_size=50)
        calls = []

        def handler(*_):
            calls.append(guard.log(y_pred="handler"))
            calls.append(guard.log(features=5))

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        logged = 0
        while len(calls) < 400:
            guard.log(y_pred="host")
            guard.log_batch(y_pred=["host"] * 2)
            logged += 3
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert guard.flush(10)
        stats = guard.stats()
        print(stats.acknowledged + stats.dropped == logged + len(calls))
        """,
        sidecar.path,
    )
    assert printed == "True\n"


BILLIARD = """
    import sys
    import billiard
    from billiard.pool import Pool
    from mlguard import Guard

    guard = Guard("p", "m", socket=sys.argv[1])
    kind = sys.argv[2]

    def leave(*_):
        guard.log(y_pred="leaving")

    def work(number):
        assert guard.log(y_pred=number)

    if kind == "process":
        children = [billiard.Process(target=work, args=(n,)) for n in range(9)]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
    else:
        # A worker that has done its tasks ends while the events of the last are still queued.
        options = {"maxtasksperchild": 3} if kind == "pool, few tasks" else {}
        callback = leave if kind == "pool, with a callback" else None
        pool = Pool(3, on_process_exit=callback, **options)
        for result in [pool.apply_async(work, (n,)) for n in range(9)]:
            result.get()
        pool.close()
        pool.join()
"""


@pytest.mark.parametrize("kind", ["process", "pool", "pool, few tasks", "pool, with a callback"])
def test_children_of_billiard_deliver_before_they_leave(sidecar, kind):
    pytest.importorskip("billiard")
    run(BILLIARD, sidecar.path, kind)
    arrived = sidecar.column("y_pred")
    assert sorted(each for each in arrived if each != "leaving") == list(range(9))
    if kind == "pool, with a callback":
        assert "leaving" in arrived


def test_children_of_joblib_deliver_before_they_leave(sidecar):
    pytest.importorskip("joblib")
    run(
        """
        import sys
        from joblib import Parallel, delayed
        from joblib.externals.loky import get_reusable_executor
        from mlguard import Guard

        def work(guard, number):
            guard.log(y_pred=number)

        guard = Guard("p", "m", socket=sys.argv[1])
        Parallel(n_jobs=2)(delayed(work)(guard, n) for n in range(4))
        get_reusable_executor().shutdown(wait=True)
        """,
        sidecar.path,
    )
    assert sorted(sidecar.column("y_pred")) == [0, 1, 2, 3]


GREEN = """
    import sys

    library, order = sys.argv[2:]

    def patch():
        if library == "gevent":
            from gevent import monkey

            monkey.patch_all()
        else:
            import eventlet

            eventlet.monkey_patch(**({} if library == "eventlet" else {"thread": False}))

    if order == "patched first":
        patch()
    from mlguard import Guard

    if order == "patched last":
        patch()
    guard = Guard("p", "m", socket=sys.argv[1])

    def work(number):
        guard.log(y_pred=number)

    if library == "gevent":
        import gevent

        gevent.joinall([gevent.spawn(work, n) for n in range(100)])
    else:
        import eventlet

        pool = eventlet.GreenPool()
        for number in range(100):
            pool.spawn_n(work, number)
        pool.waitall()
    assert guard.flush(10)
    stats = guard.stats()
    assert (stats.acknowledged, stats.dropped) == (100, 0), stats
    guard.log(y_pred="last")
"""


@pytest.mark.parametrize("order", ["patched first", "patched last"])
@pytest.mark.parametrize("library", ["eventlet", "eventlet without threads", "gevent"])
def test_green_threads_deliver(sidecar, library, order):
    found = importlib.util.find_spec(library.partition(" ")[0])
    if found is None:
        pytest.skip(f"{library} is not installed")
    run(GREEN, sidecar.path, library, order)
    assert sidecar.events == 101
    assert sidecar.connections == 1
