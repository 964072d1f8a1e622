"""Configuration of access over HTTP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from mlguard_common.config import ConfigStruct, read_secret
from mlguard_common.web.access import Access, ApiKey

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_VARIABLE = "MLGUARD_API_KEY"

_Text = Annotated[str, Meta(min_length=1)]


class ApiKeyConfig(ConfigStruct, frozen=True):
    """Key that may only send events, of some projects."""

    key: _Text
    projects: Annotated[list[_Text], Meta(min_length=1)]


class HttpConfig(ConfigStruct, frozen=True):
    """Keys and host names that are accepted over HTTP, and whether there are pages.

    The environment variable MLGUARD_API_KEY is a further key.
    """

    api_keys: list[_Text | ApiKeyConfig] | None = None
    api_keys_file: str | None = None
    allowed_hosts: list[_Text] | None = None
    page: bool = True
    page_public: bool = False

    def __post_init__(self) -> None:
        for each in self.api_keys or []:
            key = each if isinstance(each, str) else each.key
            if not key.isprintable() or key != key.strip():
                raise ValueError("api_keys: expected printable characters, without space around")
        for name in self.allowed_hosts or []:
            if "/" in name or ":" in name:
                raise ValueError("allowed_hosts: expected names without scheme and port")

    def access(self, environ: Mapping[str, str] = os.environ) -> Access:
        """Return the rules of access.

        Raises:
            ConfigError: `api_keys_file` cannot be read.
        """
        keys = [
            ApiKey(each) if isinstance(each, str) else ApiKey(each.key, frozenset(each.projects))
            for each in self.api_keys or []
        ]
        if self.api_keys_file is not None:
            keys.append(ApiKey(read_secret(self.api_keys_file, "http.api_keys_file")))
        if environ.get(KEY_VARIABLE, "").strip():
            keys.append(ApiKey(environ[KEY_VARIABLE].strip()))
        hosts = frozenset(name.lower().rstrip(".") for name in self.allowed_hosts or [])
        return Access(tuple(keys), hosts)
