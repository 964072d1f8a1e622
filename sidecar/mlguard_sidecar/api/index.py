"""The text of `GET /`."""

from __future__ import annotations

INDEX = """ML Guard sidecar

/metrics               metrics for Prometheus
/healthz               the process runs
/readyz                events are taken and stored
/api/v1/events         takes events by POST
/api/v1/cloudevents    takes events of KServe and Seldon by POST
/api/v1/models         what each model shows
/api/v1/rejects        the last events and values that were refused
/api/v1/alerts         alerts that are pending or firing
/api/v1/silences       silences of alerts
/api/v1/openapi.json   all of it, as OpenAPI
"""
