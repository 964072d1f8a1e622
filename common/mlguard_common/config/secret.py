"""Secrets that are read from files."""

from __future__ import annotations

from pathlib import Path

from mlguard_common.config.load import ConfigError


def read_secret(path: str, key: str) -> str:
    """Return the secret in a file, without surrounding whitespace.

    Errors show neither the text nor the path, as either may be a secret in the wrong key.

    Args:
        path: the file.
        key: key of the configuration that names the file; errors show it.

    Raises:
        ConfigError: the file cannot be read, or does not hold a single line of text.
    """
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{key}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{key}: holds no text") from error
    except ValueError as error:  # a path with a zero byte
        raise ConfigError(f"{key}: cannot be read: no path") from error
    if not text:
        raise ConfigError(f"{key}: is empty")
    if not text.isprintable():
        raise ConfigError(f"{key}: expected a single line")
    return text
