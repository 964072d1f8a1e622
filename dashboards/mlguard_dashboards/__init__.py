"""Grafana dashboards of ML Guard: they are built here, and kept as JSON beside this package."""

from mlguard_dashboards.build import DASHBOARDS, FOLDER, render

__all__ = ["DASHBOARDS", "FOLDER", "render"]
