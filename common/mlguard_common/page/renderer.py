"""Rendering of templates, in a thread, and the files beside them."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlguard_common.page import texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2 import Environment

_HERE = Path(__file__).parent
_FILTERS = (
    texts.ago, texts.clock, texts.count, texts.day, texts.dollars, texts.index, texts.iso,
    texts.moment, texts.number, texts.percent, texts.rate, texts.seconds, texts.times,
)  # fmt: skip


class Renderer:
    """Renders templates; the template engine is imported with the first page.

    Args:
        folders: folders of templates, besides those that every daemon's pages share.
        constants: variables that all templates have.

    Attributes:
        files: name -> content of the style sheet and the script.
        files_version: changes with their content.
    """

    def __init__(self, folders: Iterable[Path], **constants: Any) -> None:
        self._folders = [*folders, _HERE / "templates"]
        self._constants = constants

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Return name -> content of the files that pages refer to."""
        return {path.name: path.read_bytes() for path in sorted((_HERE / "static").iterdir())}

    @cached_property
    def files_version(self) -> str:
        """Return a hash of the files, a part of their addresses."""
        return hashlib.sha256(b"".join(self.files.values())).hexdigest()[:12]

    @staticmethod
    def content_type(name: str) -> str:
        """Return the content type of a file."""
        return mimetypes.guess_type(name)[0] or "application/octet-stream"

    async def render(self, template: str, variables: dict[str, Any]) -> str:
        """Return a template as HTML, in which all variables are escaped."""
        return await asyncio.to_thread(self._render, template, variables)

    def _render(self, template: str, variables: dict[str, Any]) -> str:
        return self._environment.get_template(template).render(variables)

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - 5 MB

        found = Environment(
            loader=FileSystemLoader(self._folders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        found.filters.update({each.__name__: each for each in _FILTERS})
        found.globals.update(self._constants, files_version=self.files_version)
        return found
