"""Counted exactly once: the sidecar is killed again and again under load."""

from __future__ import annotations

import random
import threading

from support.sidecar import eventually, total

from mlguard import Guard

KILLS = 20
COUNTERS = ("_total", "_bucket", "_count", "_sum")


def test_sigkill_under_load_loses_nothing_and_doubles_nothing(make_sidecar, capsys):
    sidecar = make_sidecar(pane="1s", windows={"traffic": ["1h"], "features": ["1h"]}).start()
    rng = random.Random(7)
    guards = [
        Guard(project="p", model=f"m{i}", socket=str(sidecar.socket_path), queue_size=100_000)
        for i in range(3)
    ]
    sent = [[0, 0, 0.0] for _ in guards]  # events, of them of class 1, sum of latencies
    stop = threading.Event()

    def load(number: int) -> None:
        own = random.Random(number)
        while not stop.is_set():
            latency, label = float(own.randint(1, 200)), own.randint(0, 1)
            taken = guards[number].log(
                features={"x": own.gauss(0, 1), "c": own.choice("ab")},
                y_pred=label,
                latency_ms=latency,
            )
            if taken:
                sent[number][0] += 1
                sent[number][1] += label
                sent[number][2] += latency
            if sent[number][0] % 10 == 0:
                stop.wait(0.002)

    threads = [threading.Thread(target=load, args=(i,)) for i in range(len(guards))]
    for thread in threads:
        thread.start()
    before: dict = {}
    received_before_kill = []
    try:
        for _ in range(KILLS):
            least = total(before, "mlguard_inferences_total")
            now = eventually(lambda least=least: _grown(sidecar, least))
            assert_no_counter_went_back(before, now)
            assert_every_event_is_accounted_for(now)
            before = now
            stop.wait(rng.uniform(0.0, 0.4))  # any moment of a commit's cycle
            sidecar.kill()
            received_before_kill.append(total(before, "mlguard_inferences_total"))
            sidecar.start()
            after = sidecar.metrics()
            assert_no_counter_went_back(before, after)
            before = after
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for guard in guards:
        assert guard.flush(30)
        guard.close()

    end = sidecar.metrics()
    assert_no_counter_went_back(before, end)
    for i, (events, ones, latency_ms) in enumerate(sent):
        model = {"model": f"m{i}"}
        assert total(end, "mlguard_inferences_total", **model) == events
        assert total(end, "mlguard_predictions_total", prediction="1", **model) == ones
        assert total(end, "mlguard_predictions_total", prediction="0", **model) == events - ones
        assert total(end, "mlguard_inference_latency_seconds_count", **model) == events
        latency = total(end, "mlguard_inference_latency_seconds_sum", **model)
        assert abs(latency - latency_ms / 1000) < 1e-6
        for feature in ("x", "c"):
            assert total(end, "mlguard_feature_bin_total", feature=feature, **model) == events
        window = total(end, "mlguard_drift_samples", feature="x", window="1h", **model)
        assert window == events
    everything = sum(events for events, _, _ in sent)
    assert total(end, "mlguard_sidecar_events_committed_total") == everything
    assert total(end, "mlguard_sidecar_events_received_total") == everything
    with capsys.disabled():
        again = total(end, "mlguard_sidecar_duplicate_batches_total")
        print(
            f"\n{KILLS} kills, {everything:,} events sent, {everything:,} counted,"
            f" {again:.0f} batches came twice and counted once"
        )


def assert_every_event_is_accounted_for(found):
    name = "mlguard_sidecar_events_{}"
    received, *fates = (
        total(found, name.format(fate))
        for fate in ("received_total", "committed_total", "rejected_total", "pending")
    )
    assert received == sum(fates)


def _grown(sidecar, least):
    found = sidecar.metrics()
    return found if total(found, "mlguard_inferences_total") > least else None


def assert_no_counter_went_back(before, after):
    """Every counter of before is in after, and not smaller; process-local ones begin anew."""
    local = ("mlguard_sidecar_commit_seconds", "mlguard_sidecar_store_errors", "mlguard_rule_")
    for (name, labels), value in before.items():
        if name.endswith(COUNTERS) and not name.startswith(local):
            assert after[name, labels] >= value, (name, labels)
