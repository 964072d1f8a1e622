"""The configuration file: typed, with every mistake told in one line."""

from mlguard_sidecar.config.load import ConfigError, load_config, with_changes
from mlguard_sidecar.config.model import (
    BaselineConfig,
    Config,
    DriftConfig,
    FeatureConfig,
    Limits,
    LogConfig,
    ModelConfig,
    RetentionConfig,
    SocketConfig,
    Thresholds,
    WindowsConfig,
)

__all__ = [
    "BaselineConfig",
    "Config",
    "ConfigError",
    "DriftConfig",
    "FeatureConfig",
    "Limits",
    "LogConfig",
    "ModelConfig",
    "RetentionConfig",
    "SocketConfig",
    "Thresholds",
    "WindowsConfig",
    "load_config",
    "with_changes",
]
