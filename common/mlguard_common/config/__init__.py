"""Configuration files: YAML into typed structs, each error in one line."""

from mlguard_common.config.load import (
    ConfigError,
    ConfigStruct,
    keep_immutable,
    load_config,
    with_changes,
)
from mlguard_common.config.secret import read_secret
from mlguard_common.config.units import Bytes, Duration, Interval, Mode, duration_milliseconds

__all__ = [
    "Bytes",
    "ConfigError",
    "ConfigStruct",
    "Duration",
    "Interval",
    "Mode",
    "duration_milliseconds",
    "keep_immutable",
    "load_config",
    "read_secret",
    "with_changes",
]
