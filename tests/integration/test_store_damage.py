"""A sidecar starts with whatever lies where its database should be."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys

import pytest
from support.sidecar import eventually

EVENT = {"project_id": "p", "model_id": "m", "latency_ms": 1.0, "y_pred": 1}


@pytest.fixture
def filled(make_sidecar):
    """A stopped sidecar with some history."""
    sidecar = make_sidecar(baseline={"events": 50}, rules={"interval": "1s"})
    with sidecar, sidecar.connection() as client:
        client.hello("c")
        for seq in range(1, 4):
            features = {f"f{i}": [float(n % 9) for n in range(100)] for i in range(20)}
            columns = {"latency_ms": [1.0] * 100, "features": features}
            client.send({"project_id": "p", "model_id": "m", "seq": seq, "columns": columns})
        client.wait_for_ack(3)
    sidecar.database = sidecar.folder / "data" / "mlguard.db"
    connection = sqlite3.connect(sidecar.database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return sidecar


def flip(data: bytes, where: int, n: int = 64) -> bytes:
    return data[:where] + bytes(255 - b for b in data[where : where + n]) + data[where + n :]


def undecodable(database, table: str, column: str) -> bytes:
    connection = sqlite3.connect(database)
    connection.execute(f"UPDATE {table} SET {column} = x'7b00ff'")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return database.read_bytes()


DAMAGES = {
    "garbage": lambda _: random.Random(1).randbytes(50_000),
    "text": lambda _: b"not a database" * 1000,
    "a short file": lambda file: file.read_bytes()[:700],
    "cut within": lambda file: file.read_bytes()[: file.stat().st_size // 2],
    "a flipped header": lambda file: flip(file.read_bytes(), 0),
    "a flipped schema": lambda file: flip(file.read_bytes(), 200, 3000),
    "flipped pages": lambda file: flip(file.read_bytes(), 4096, file.stat().st_size),
    "a schema that is none": lambda file: undecodable(file, "model", "schema"),
    "a baseline that is none": lambda file: undecodable(file, "baseline", "body"),
    "totals that are none": lambda file: undecodable(file, "pane", "body"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_moved_aside_and_the_sidecar_starts_empty(filled, damage):
    damaged = DAMAGES[damage](filled.database)
    for path in filled.database.parent.glob("mlguard.db*"):
        path.unlink()
    filled.database.write_bytes(damaged)
    with filled:
        assert filled.value("mlguard_sidecar_store_recreated_total") == 1
        assert filled.value("mlguard_inferences_total") == 0
        with filled.connection() as client:
            client.send(EVENT)
            eventually(lambda: filled.value("mlguard_inferences_total") == 1)
    (aside,) = filled.database.parent.glob("mlguard.db.damaged-*Z")
    assert aside.read_bytes()[100:] == damaged[100:], "but for SQLite's header"
    assert f"{filled.database} is damaged: " in filled.log()
    assert aside.name in filled.log()
    assert "Traceback" not in filled.log()
    with filled:
        assert filled.value("mlguard_sidecar_store_recreated_total") == 0
        assert filled.value("mlguard_inferences_total") == 1


def test_bytes_flipped_anywhere_never_keep_a_sidecar_from_starting(filled):
    whole = filled.database.read_bytes()
    rng = random.Random(7)
    for _ in range(6):
        for path in filled.database.parent.glob("mlguard.db*"):
            path.unlink()
        filled.database.write_bytes(flip(whole, rng.randrange(len(whole)), rng.choice((1, 8, 500))))
        with filled, filled.connection() as client:
            client.send(EVENT | {"model_id": "another"})
            eventually(lambda: filled.value("mlguard_inferences_total", model="another") == 1)
    assert "Traceback" not in filled.log()


def test_a_whole_database_is_not_touched(filled):
    with filled:
        assert filled.value("mlguard_inferences_total") == 300
        assert filled.value("mlguard_sidecar_store_recreated_total") == 0
    assert not list(filled.database.parent.glob("*damaged*"))


@pytest.mark.parametrize("name", ["s.sock", "http.sock"])
def test_a_deleted_socket_file_is_made_again(sidecar, name):
    path = sidecar.socket_path.with_name(name)
    with sidecar.connection() as before:
        before.send(EVENT)
        path.unlink()
        eventually(path.is_socket, 10, "a new socket file")
        with sidecar.connection() as client:
            client.hello("c")
            client.send({**EVENT, "seq": 1, "columns": {"latency_ms": [1.0]}})
            client.wait_for_ack(1)
        before.send(EVENT)  # those that were connected still are
        eventually(lambda: sidecar.value("mlguard_inferences_total") == 3)
    assert sidecar.value("mlguard_sidecar_socket_recreated_total") == 1
    assert f"{path} was deleted" in sidecar.log()
    sidecar.stop()
    assert not path.exists()


def test_a_database_of_a_newer_version_is_left_alone(filled):
    connection = sqlite3.connect(filled.database)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('mlguard', 'of_the_year_2030', '2030-01-01')"
    )
    connection.commit()
    connection.close()
    filled.write_config()
    done = subprocess.run(
        [sys.executable, "-m", "mlguard_sidecar", "--config", str(filled.config_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "was written by a newer version of ML Guard" in done.stderr
    assert not list(filled.database.parent.glob("*damaged*"))
