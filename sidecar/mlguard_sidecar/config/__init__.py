"""What can be configured."""

from mlguard_sidecar.config.schema import (
    HTTP_SOCKET,
    BaselineConfig,
    Config,
    DriftConfig,
    FeatureConfig,
    Limits,
    ModelConfig,
    RetentionConfig,
    SocketConfig,
    Thresholds,
    WindowsConfig,
)

__all__ = [
    "HTTP_SOCKET",
    "BaselineConfig",
    "Config",
    "DriftConfig",
    "FeatureConfig",
    "Limits",
    "ModelConfig",
    "RetentionConfig",
    "SocketConfig",
    "Thresholds",
    "WindowsConfig",
]
