"""A fleet's drift is that of the pooled events: eight sidecars, a Prometheus and a VictoriaMetrics.

One sidecar has nine tenths of the traffic, one drifts, one is killed in the middle, and one has
another baseline. Hours are minutes here: the bundled rules run with shorter ranges, on a Prometheus
and on a vmalert, and what they record is compared with the index of the raw events.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.sidecar import Sidecar, eventually, free_port

from mlguard_sidecar.baseline import Baseline, Binning, ColumnSample, build, dump
from mlguard_sidecar.drift import psi

ROOT = Path(__file__).resolve().parents[2]
PODS, DRIFTED, KILLED, OTHER_BASELINE = 8, 2, 4, 7
STEPS, MINUTE = 20, 60.0
EVENTS = [900, *[14] * (PODS - 1)]
"""Events a step of each pod."""

PLANS = ["basic", "plus", "pro"]


@dataclass
class Fleet:
    """Running sidecars, and what was sent to them.

    Attributes:
        sidecars: the sidecars.
        baselines: baseline of each.
        sent: columns of all events of the measured minute, pod by pod.
    """

    sidecars: list[Sidecar]
    baselines: list[Baseline]
    sent: list[dict[str, list]]

    def send(self, pod: int, rows: dict[str, list]) -> None:
        line = {
            "project_id": "p",
            "model_id": "m",
            "columns": {
                "y_pred": rows["y_pred"],
                "features": {"x": rows["x"], "plan": rows["plan"]},
            },
        }
        with self.sidecars[pod].connection() as client:
            client.hello("fleet")
            client.send(line | {"seq": time.monotonic_ns()})
            assert "ack" in client.receive()


def rows_of(rng: np.random.Generator, pod: int | None, n: int) -> dict[str, list]:
    """Events of a pod, each of which sees a part of the values; without one, of the baseline."""
    shift = 0.0 if pod is None else 1.5 if pod == DRIFTED else 0.4 + (pod - 4) / 4 * (pod > 0)
    plans = (
        [0.5, 0.3, 0.2] if pod is None else [0.1, 0.1, 0.8] if pod == DRIFTED else [0.3, 0.4, 0.3]
    )
    late = 0.3 if pod is None else 0.5
    return {
        "x": rng.normal(shift, 1, n).tolist(),
        "plan": rng.choice(PLANS, n, p=plans).tolist(),
        "y_pred": rng.choice(["no", "yes"], n, p=[1 - late, late]).tolist(),
    }


def make_baseline(seed: int) -> Baseline:
    rng = np.random.default_rng(seed)
    rows = rows_of(rng, None, 2000)
    samples = {name: ColumnSample() for name in rows}
    for name, sample in samples.items():
        sample.add(rows[name])
    predictions = {"y_pred": samples.pop("y_pred"), "y_proba": ColumnSample()}
    return build(
        samples, predictions, samples=2000, source=f"made {seed}", created=0.0, default=Binning()
    )


def server(stack: ExitStack, folder: Path, *command: str) -> None:
    """Start a server, and stop it at the end."""
    log = stack.enter_context((folder / f"{command[0]}.log").open("w"))
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)


def query(url: str, text: str, at: float) -> list[tuple[dict[str, str], float]]:
    """Return labels and value of each sample of an instant query."""
    asked = urllib.parse.urlencode({"query": text, "time": f"{at:.3f}", "step": "5s"})
    with urllib.request.urlopen(f"{url}/api/v1/query?{asked}", timeout=20) as answer:
        found = json.load(answer)["data"]["result"]
    return [(each["metric"], float(each["value"][1])) for each in found]


def counts_of(baseline: Baseline, name: str, values: list) -> np.ndarray:
    """Counts of a column's bins of drift, by numpy."""
    part = next(p for p in baseline.columns if p.column.name == name)
    if part.column.kind == "numeric":
        return np.histogram(values, [-np.inf, *part.psi_edges, np.inf])[0]
    return np.array([*(values.count(label) for label in part.psi_labels[:-1]), 0])


def pooled_psi(fleet: Fleet, baseline: Baseline, name: str, pods: list[int]) -> float:
    """Return the index of the raw events of some pods, all in one."""
    part = next(p for p in baseline.columns if p.column.name == name)
    values = [value for pod in pods for value in fleet.sent[pod][name]]
    return psi(part.psi_baseline, counts_of(baseline, name, values))


DIFFERENCE = "sum by (feature, kind, bin, baseline) ({x} - {x} offset 60s)".format(
    x="mlguard_feature_bin_total"
)
COUNTS = f"(({DIFFERENCE}) + 0.5)"
P = f"{COUNTS} / ignoring (bin) group_left () sum without (bin) {COUNTS}"
Q = "max by (feature, kind, bin, baseline) (mlguard_baseline_bin_ratio)"
PSI = f"sum without (bin) (({P} - {Q}) * ln({P} / {Q}))"
"""The index of the last minute, from plain differences of counters."""


def shortened_rules(folder: Path) -> Path:
    """Write the bundled rules with an hour as a minute, and alerts that do not wait."""
    text = (ROOT / "rules/mlguard_rules/bundled/fleet.rules.yml").read_text()
    text = (
        text.replace("[1h]", "[1m]").replace("[1d]", "[2m]").replace("interval: 5m", "interval: 5s")
    )
    text = re.sub(r"\b(for|keep_firing_for): \S+", r"\1: 0s", text)
    text = text.replace("        keep_firing_for: 0s\n", "")  # newer than Debian's engines
    path = folder / "fleet.rules.yml"
    path.write_text(text)
    return path


@pytest.mark.long
@pytest.mark.needs("prometheus", "victoria-metrics", "vmalert")
def test_the_index_of_a_fleet_is_that_of_its_pooled_events(tmp_path, hook):
    rng = np.random.default_rng(1)
    usual, other = make_baseline(1), make_baseline(2)
    with ExitStack() as stack:
        fleet = Fleet([], [], [])
        for pod in range(PODS):
            baseline = other if pod == OTHER_BASELINE else usual
            path = tmp_path / f"baseline{pod}.json"
            path.write_bytes(dump(baseline))
            config = {"baseline": {"file": str(path)}, "rules": {"bundled": False}}
            sidecar = Sidecar(tmp_path / f"pod{pod}", config | {"exposition": "full"})
            fleet.sidecars.append(stack.enter_context(sidecar))
            fleet.baselines.append(baseline)
            fleet.sent.append({"x": [], "plan": [], "y_pred": []})
            fleet.send(pod, rows_of(rng, (pod + 3) % PODS, 500))  # before the measured minute
        targets = [{"targets": [s.config["listen"] for s in fleet.sidecars]}]
        scrape = {"job_name": "mlguard", "scrape_interval": "1s", "static_configs": targets}
        rules = shortened_rules(tmp_path)
        prometheus, victoria = start_engines(stack, tmp_path, scrape, rules, hook.url)
        for url in (prometheus, victoria):
            eventually(lambda u=url: query(u, "mlguard_feature_bin_total", time.time()), 60)
        time_to_rest()
        began = time.time()
        for step in range(STEPS):
            for pod in range(PODS):
                if step == STEPS // 2 and pod == KILLED:
                    fleet.sidecars[pod].kill()
                    fleet.sidecars[pod].start()
                rows = rows_of(rng, pod, EVENTS[pod])
                fleet.send(pod, rows)
                for name, values in rows.items():
                    fleet.sent[pod][name] += values
            wait_until(began + (step + 1) * 2)
        # 60 s before this time nothing of the measured minute was sent, and all of it is scraped
        at = began + MINUTE - 5
        wait_until(at + 8)
        print("\n  column  raw events  differences  Prometheus  vmalert  mean of the pods")
        pods = [pod for pod in range(PODS) if pod != OTHER_BASELINE]
        for name, kind in (("x", "feature"), ("plan", "feature"), ("y_pred", "prediction")):
            labels = f'feature="{name}",kind="{kind}",baseline="{usual.id}"'
            expected = pooled_psi(fleet, usual, name, pods)
            found = {}
            for url in (prometheus, victoria):
                ((_, found[url]),) = only(query(url, PSI, at), name, usual)
            recorded = f'mlguard:drift_psi:pooled{{{labels},window="1h"}}'
            kept = {}
            for url in (prometheus, victoria):
                ((_, kept[url]),) = query(url, recorded, at + 1)
            each = [pooled_psi(fleet, fleet.baselines[pod], name, [pod]) for pod in pods]
            print(
                f"{name:>8} {expected:>11.6f} {found[prometheus]:>12.6f} {kept[prometheus]:>11.6f}"
                f" {kept[victoria]:>8.6f} {np.mean(each):>17.6f}"
            )
            assert found[prometheus] == pytest.approx(expected, abs=1e-6)
            assert found[victoria] == pytest.approx(expected, abs=1e-6)
            assert kept[prometheus] == pytest.approx(expected, rel=0.01)
            assert kept[victoria] == pytest.approx(expected, rel=0.01)
            assert abs(np.mean(each) - expected) > 0.01, "which is why bins are summed"
            ((_, alone),) = only(query(prometheus, PSI, at), name, other)
            mine = pooled_psi(fleet, other, name, [OTHER_BASELINE])
            assert alone == pytest.approx(mine, abs=1e-6), "another baseline is another fleet"


def only(
    found: list[tuple[dict[str, str], float]], name: str, baseline: Baseline
) -> list[tuple[dict[str, str], float]]:
    return [
        pair for pair in found if (pair[0]["feature"], pair[0]["baseline"]) == (name, baseline.id)
    ]


def start_engines(
    stack: ExitStack, folder: Path, scrape: dict, rules: Path, notifier: str
) -> tuple[str, str]:
    """Start Prometheus with rules, and VictoriaMetrics with vmalert; return the URLs to query."""
    prometheus, victoria = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    config = {
        "global": {"evaluation_interval": "5s"},
        "rule_files": [str(rules)],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    (folder / "scrape.yml").write_text(json.dumps({"scrape_configs": [scrape]}))
    server(
        stack,
        folder,
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address={prometheus.removeprefix('http://')}",
    )
    server(
        stack,
        folder,
        "victoria-metrics",
        f"-storageDataPath={folder}/vm",
        f"-httpListenAddr={victoria.removeprefix('http://')}",
        f"-promscrape.config={folder}/scrape.yml",
        "-search.latencyOffset=0s",
    )
    for url, path in ((prometheus, "/-/ready"), (victoria, "/health")):
        eventually(lambda u=url + path: answers(u), 60)
    server(
        stack,
        folder,
        "vmalert",
        f"-rule={rules}",
        f"-datasource.url={victoria}",
        f"-remoteWrite.url={victoria}",
        f"-notifier.url={notifier}",
        f"-httpListenAddr=127.0.0.1:{free_port()}",
        "-evaluationInterval=5s",
        "-datasource.queryTimeAlignment=false",
        "-remoteWrite.flushInterval=200ms",
    )
    return prometheus, victoria


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def wait_until(at: float) -> None:
    eventually(lambda: time.time() >= at, 120, every=0.05)


def time_to_rest() -> None:
    """Let every counter be scraped as it is, over the width of the rules' steps."""
    wait_until(time.time() + 12)
