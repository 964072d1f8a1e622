"""Secrets in files."""

from __future__ import annotations

from pathlib import Path

from mlguard_common.config.load import ConfigError


def read_secret(path: str, key: str) -> str:
    """The text of a file that holds a secret, without space around it.

    Neither the text nor the path is ever told, as either may be the secret, put into the wrong key.

    Args:
        path: of the file.
        key: of the configuration that names it, to be told with what is wrong.

    Raises:
        ConfigError: the file cannot be read, or holds no single line of text.
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
