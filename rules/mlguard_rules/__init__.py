"""Alert rules in Prometheus' format: parse, evaluate, keep alert state, notify."""
