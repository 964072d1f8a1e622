"""The pages of the sidecar: all models, a model, and a feature or prediction."""

from mlguard_sidecar.page.pages import TEMPLATES, Pages

__all__ = ["TEMPLATES", "Pages"]
