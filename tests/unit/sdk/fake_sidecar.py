"""A small sidecar that speaks the socket's protocol, and misbehaves on demand."""

import contextlib
import json
import socket
import threading
import time
from collections import Counter
from pathlib import Path


def eventually(predicate, timeout=10.0):
    """Return the predicate's first true value; fail if there is none within the time."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.002)


class FakeSidecar:
    """Serves a Unix socket in threads; counts each client's batches once, as the daemon does.

    Attributes:
        batches: batches in the order of their first arrival.
        arrivals: how often each (client, seq) arrived.
        acks: whether batches are acknowledged; `acknowledge` makes up for it.
        greets: whether hello is answered.
        reads: whether anything is read at all.
        drop_after: close the connection, once, after so many batches and a half acknowledgement.
        claim: answer hello with this number instead of the true one.
        answers: returns the replies to a batch that precede its acknowledgement.
    """

    def __init__(self, path: Path):
        self.path = path
        self.batches, self.lines, self.hellos, self.dropped = [], [], [], []
        self.arrivals = Counter()
        self.last_seqs = {}
        self.acks = self.greets = self.reads = True
        self.drop_after = self.claim = None
        self.answers = lambda _message: ()
        self.connections = 0
        self._open = set()
        self._listener = None
        self._lock = threading.Lock()

    def start(self):
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self):
        """Close everything, as a killed process would; what it counted stays."""
        if self._listener is None:
            return
        # Closing alone would leave the accepting thread in its system call.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = None
        self.path.unlink()
        self.disconnect()

    def disconnect(self):
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def say(self, text: bytes):
        """Send to every client."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.sendall(text)

    def acknowledge(self):
        """Acknowledge all, from now on as well."""
        self.acks = True
        for seq in self.last_seqs.values():
            self.say(b'{"ack": %d}\n' % seq)

    @property
    def events(self):
        return sum(len(batch["columns"]["timestamp"]) for batch in self.batches)

    def column(self, *names):
        """Return one column of all batches; None where a batch lacks it."""
        values = []
        for batch in self.batches:
            part = batch["columns"]
            for name in names:
                part = part.get(name, {})
            values += part or [None] * len(batch["columns"]["timestamp"])
        return values

    def feature(self, name):
        return self.column("features", name)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
                self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if not self.reads:
                eventually(lambda: self.reads or self._listener is None, 60)
            client = None
            with connection.makefile("rb") as lines:
                for line in lines:
                    if not line.endswith(b"\n"):
                        return  # a line cut off is sent again on the next connection
                    message = json.loads(line, parse_constant=_refuse)
                    if "hello" in message:
                        client = message["hello"]["client"]
                        self._greet(connection, message, client)
                    elif "stats" in message:
                        self.dropped.append(message["stats"]["dropped"])
                    elif not self._count(connection, line, message, client):
                        return
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
                connection.close()

    def _greet(self, connection, message, client):
        self.hellos.append(message["hello"])
        last_seq = self.last_seqs.get(client, 0) if self.claim is None else self.claim
        if self.greets:
            connection.sendall(b'{"hello": {"last_seq": %d}}\n' % last_seq)

    def _count(self, connection, line, message, client):
        seq = message["seq"]
        self.lines.append(line)
        self.arrivals[client, seq] += 1
        if seq > self.last_seqs.get(client, 0):
            self.last_seqs[client] = seq
            self.batches.append(message)
        if self.drop_after is not None:
            self.drop_after -= 1
            if self.drop_after == 0:
                self.drop_after = None
                connection.sendall(b'{"ack"')
                return False
        for answer in self.answers(message):
            connection.sendall(json.dumps(answer).encode() + b"\n")
        if self.acks:
            connection.sendall(b'{"ack": %d}\n' % self.last_seqs[client])
        return True


def _refuse(constant):
    raise AssertionError(f"{constant} is not JSON")
