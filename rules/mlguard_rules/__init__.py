"""Alert rules in Prometheus format: parse, evaluate, keep state, notify. It has no code yet."""
