"""Explains why the credentials of a session cannot be had."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    ParamValidationError,
    ProfileNotFound,
)

from mlguard_exporter.sources.aws.errors import one_line
from mlguard_exporter.sources.protocol import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.session import Session

_TOKEN_VARIABLE = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 - a name
_TOKEN_KEY, _PROCESS_KEY = "web_identity_token_file", "credential_process"
_PROCESS = "custom-process"
"""botocore's name for `credential_process`."""
_INVALID_ENDPOINT = "Invalid endpoint"
_RUN_IT = (
    "run it by hand as the exporter's user, and correct it or `credential_process` in AWS's"
    " configuration file"
)


class CredentialError(SourceError):
    """The credentials cannot be had; one line without secrets: what was wrong, and what to do."""


@contextmanager
def explained(session: Session) -> Iterator[None]:
    """Raise a CredentialError for what botocore raises of a file or a program of credentials.

    Errors that name the cause themselves, and those of ours, pass.

    Raises:
        CredentialError: the credentials are configured, but cannot be had.
    """
    try:
        yield
    except SourceError:
        raise
    except (CredentialRetrievalError, ParamValidationError) as error:
        text = _explain_botocore(session, error)
        if text is None:
            raise
        raise CredentialError(text) from error
    except (BotoCoreError, ClientError):
        raise
    except Exception as error:
        # a program's output may lead to any error in botocore, which does not check it
        raise CredentialError(_explain(session, error)) from error


def explain_renewals(session: Session) -> None:
    """Have failed renewals of a session's credentials explained; before they are loaded, nothing.

    The first request for credentials of a pod or a role is a renewal too.
    """
    found = session._credentials  # noqa: SLF001 - botocore has no public way to see a renewal fail
    if isinstance(found, RefreshableCredentials):
        renew = found._refresh_using  # noqa: SLF001
        if not isinstance(renew, _Renewal):
            found._refresh_using = _Renewal(session, renew)  # noqa: SLF001


class _Renewal:
    """A renewal of a session's credentials, explained."""

    def __init__(self, session: Session, renew: Callable[[], Any]) -> None:
        self._session = session
        self._renew = renew

    def __call__(self) -> Any:
        with explained(self._session):
            return self._renew()


def _explain_botocore(session: Session, error: BotoCoreError) -> str | None:
    if isinstance(error, ParamValidationError):
        token = _token_file(session)
        return token and (
            f"the web identity token file {token} holds no token; in a Kubernetes pod, start the"
            f" pod again, elsewhere correct {_TOKEN_VARIABLE}"
        )
    if error.kwargs.get("provider") == _PROCESS:
        # what it printed may hold secrets
        return f"the program of `credential_process` gives no credentials; {_RUN_IT}"
    return None


def _explain(session: Session, error: Exception) -> str:
    if isinstance(error, ValueError) and str(error).startswith(_INVALID_ENDPOINT):
        return (
            f"{one_line(str(error))}; correct the variables AWS_ENDPOINT_URL..., or `endpoint_url`"
            " in AWS's configuration file"
        )
    token = _token_file(session)
    if isinstance(error, OSError | UnicodeDecodeError) and token and not _is_other(error, token):
        return _explain_token(token, error)
    if _setting(session, _PROCESS_KEY) is not None:
        if isinstance(error, OSError):
            what = f"cannot be run ({error.strerror or type(error).__name__})"
        elif isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            what = "does not print JSON"
        else:
            what = "prints JSON that is not as AWS defines it"
        return f"the program of `credential_process` {what}; {_RUN_IT}"
    where = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
    return (
        f"the AWS credentials cannot be had: {one_line(where)}; correct AWS's configuration until"
        " `aws sts get-caller-identity` answers"
    )


def _explain_token(token: str, error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, PermissionError):
        advice = (
            "let the exporter's user read it, in a Kubernetes pod with securityContext.fsGroup of"
            " the pod"
        )
    else:
        advice = (
            "in a Kubernetes pod, annotate its service account with eks.amazonaws.com/role-arn and"
            f" start the pod again, elsewhere correct {_TOKEN_VARIABLE}"
        )
    what = error.strerror if isinstance(error, OSError) else "it is no text"
    return f"the web identity token file {token} cannot be read: {what}; {advice}"


def _is_other(error: OSError | UnicodeDecodeError, token: str) -> bool:
    name = getattr(error, "filename", None)
    return name is not None and os.fspath(name) != token


def _token_file(session: Session) -> str | None:
    return os.environ.get(_TOKEN_VARIABLE) or _setting(session, _TOKEN_KEY)


def _setting(session: Session, key: str) -> str | None:
    """Return a setting of the session's profile."""
    try:
        value = session.get_scoped_config().get(key)
    except ProfileNotFound:
        return None
    return None if value is None else str(value)
