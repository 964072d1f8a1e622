"""AWS spend figures and the Alertmanager-to-Apprise relay. It has no code yet."""
