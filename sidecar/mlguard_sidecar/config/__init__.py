"""What can be configured."""

from mlguard_sidecar.config.schema import (
    HTTP_SOCKET,
    BaselineConfig,
    CloudEventsConfig,
    Config,
    DriftConfig,
    FeatureConfig,
    Limits,
    ModelConfig,
    OutcomesConfig,
    RetentionConfig,
    SocketConfig,
    Thresholds,
    WindowsConfig,
)

__all__ = [
    "HTTP_SOCKET",
    "BaselineConfig",
    "CloudEventsConfig",
    "Config",
    "DriftConfig",
    "FeatureConfig",
    "Limits",
    "ModelConfig",
    "OutcomesConfig",
    "RetentionConfig",
    "SocketConfig",
    "Thresholds",
    "WindowsConfig",
]
