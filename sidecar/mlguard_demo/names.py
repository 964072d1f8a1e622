"""The names under which the demonstration's model is logged, and its spend is tagged."""

PROJECT = "nyc-flights"
MODEL = "late"
ENDPOINT = "predict"
