"""AWS spend for each project, model and endpoint; the relay between Alertmanager and people."""
