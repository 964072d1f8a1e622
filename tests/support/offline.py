"""An engine with its database in this process, and a clock that is set by hand."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from mlguard_sidecar.config import BaselineConfig, Config
from mlguard_sidecar.engine import Engine, ModelView, Window
from mlguard_sidecar.exposition import METRICS, Models, exposition
from mlguard_sidecar.plans import Plans
from mlguard_sidecar.store import TRAFFIC, Hours, commit, load, open_store
from mlguard_sidecar.wire import Line, ModelKey
from mlguard_sidecar.wire.message import Batch

NOW = 1_800_000_000.0
KEY = ModelKey("p", "m", "predict")
IDS = ("project", "model", "model_endpoint")


class Offline:
    """An engine and its database; nothing runs by itself."""

    def __init__(self, folder, config: Config | None = None) -> None:
        self.now = NOW
        self.config = config or Config(baseline=BaselineConfig(events=50))
        self.plans = Plans(self.config)
        self.db = open_store(folder)
        self.engine = Engine(
            plan_of=self.plans.plan_of,
            clock=lambda: self.now,
            keep_seconds=400 * 86_400,
            model_limit=self.config.limits.models,
        )
        saved = load(self.db)
        views = {
            key: ModelView(key, m.first_seen, m.schema, m.traffic, m.features)
            for key, m in saved.models.items()
        }
        lessons = {key: m.lesson for key, m in saved.models.items()}
        self.engine.restore(views, lessons, saved.sequences, saved.tally)
        self.hours = Hours(self.db)
        self.refresh()

    def send(self, **columns) -> None:
        batch = Batch(**columns)
        self.engine.take_batch(Line(project_id="p", model_id="m", columns=batch), "socket")

    def commit(self) -> None:
        delta = self.engine.close_delta()
        commit(self.db, delta)
        for key, gained in delta.models.items():
            self.hours.changed(key, TRAFFIC, gained.traffic)
            for series, start in gained.features:
                self.hours.changed(key, series, [start])
        if self.engine.committed(delta):
            self.refresh()

    def refresh(self) -> None:
        for view in self.engine.views.values():
            for series, spans, target in (
                (TRAFFIC, self.plans.traffic_spans, "traffic_windows"),
                (view.schema.series, self.plans.feature_spans, "feature_windows"),
            ):
                windows = [Window.at(span, self.now, self.config.pane.seconds) for span in spans]
                filled = {
                    w.span.label: Window(
                        w.span, w.start, w.end, self.hours.window(view.key, series, w.start, w.end)
                    )
                    for w in windows
                }
                setattr(view, target, filled)

    def page(self, *collectors) -> str:
        models = Models(lambda: self.engine.views, self.plans.judging_of, lambda: self.now)
        return exposition([models, *collectors], METRICS).decode()

    def figures(self) -> dict:
        """Value by name without prefix and the sorted label values, but for the model's."""
        return {
            (
                s.name.removeprefix("mlguard_"),
                *sorted(v for k, v in s.labels.items() if k not in IDS),
            ): s.value
            for family in text_string_to_metric_families(self.page())
            for s in family.samples
        }

    def close(self) -> None:
        self.db.conn.close()
