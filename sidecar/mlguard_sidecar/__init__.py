"""The sidecar: events in over a local socket, rolling figures out on /metrics."""
