"""AWS's errors as texts and outcomes: what was wrong, and what to do."""

from __future__ import annotations

import re
from contextlib import contextmanager
from decimal import InvalidOperation
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from mlguard_exporter.sources.aws.error_texts import (
    CODES,
    DENIALS,
    INVALID,
    RAISED,
    TOKEN_CODES,
    ErrorText,
)
from mlguard_exporter.sources.protocol import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = "exporter/iam-policy.json"
"""The file of this project with the minimal permissions."""

AWS_ERRORS = (BotoCoreError, ClientError, ResponseParserError)
"""What boto3 raises when AWS, or the network to it, fails."""

_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, InvalidOperation)
_MAX_LENGTH = 200
_SECRET = re.compile(r"\bA[KS]IA\w+|(?<![\w/+=:.-])[\w+=][\w/+=]{31,}")
"""An access key, or what is long enough to be another secret or a token."""
_DENIED = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on resource: (?P<what>\S+))?"
)
_NOT_ENABLED = "not enabled for cost explorer"
_FORBIDDEN = "explicit deny"
_LINKED = re.compile(r"\b(?:linked|member) accounts?\b", re.IGNORECASE)
_TAG_OPERATION = "CostAllocationTag"
_ASSUME_ROLE, _WEB_IDENTITY = "AssumeRole", "AssumeRoleWithWebIdentity"


@contextmanager
def parsing_answer() -> Iterator[None]:
    """Raise a SourceError where an answer lacks what the block reads from it."""
    try:
        yield
    except _UNREADABLE as error:
        raise SourceError(
            "AWS's answer cannot be read, it may have been cut off; try again, and check whether a"
            " proxy or something else answers instead"
        ) from error


def describe_error(error: Exception) -> str:
    """Return what was wrong and what to do, in one line without secrets.

    Args:
        error: from boto3; the text of any other is its own.
    """
    if isinstance(error, ClientError):
        return _explain_answer(error)
    known = _known(error)
    if known is not None:
        fields = {
            name: one_line(str(value)) for name, value in getattr(error, "kwargs", {}).items()
        }
        return known.text.format_map(_Fields(fields))
    text = one_line(str(error)) if isinstance(error, BotoCoreError) else str(error)
    return " ".join(text.split()) or type(error).__name__


def one_line(text: str) -> str:
    """Return a text as one printable line of limited length, without what may be a secret."""
    shown = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    shown = _SECRET.sub("***", shown)
    return shown if len(shown) <= _MAX_LENGTH else f"{shown[: _MAX_LENGTH - 3]}..."


def outcome_of(error: Exception) -> str:
    """Return how a request ended, as the value of the label `outcome`.

    Returns:
        `throttled`, `denied`, `expired`, `unavailable` (AWS has no figures yet, or an
        internal error), `timeout`, `connection`, `server_error`, `invalid`, or `error` for
        anything else.
    """
    if not isinstance(error, ClientError):
        known = _known(error)
        return known.outcome if known else "error"
    coded = _coded(error)
    if coded is not None:
        return coded.outcome
    name, status = _code(error), _status(error)
    if name in DENIALS or status == 403:
        return "denied"
    if status >= 500:
        return "server_error"
    return "invalid" if name in INVALID else "error"


def is_linked_account(error: Exception) -> bool:
    """Return whether AWS refuses since another account pays, and so manages the tags."""
    return (
        isinstance(error, ClientError)
        and _TAG_OPERATION in error.operation_name
        and _LINKED.search(_message(error)) is not None
    )


def is_unseen_tag(error: Exception) -> bool:
    """Return whether AWS refuses since it has not seen a tag on any charge yet."""
    return isinstance(error, ClientError) and "Tag keys not found" in _message(error)


def denied_action(error: Exception) -> str | None:
    """Return the action that no policy allows, such as ce:GetTags; None for other errors."""
    if not isinstance(error, ClientError) or outcome_of(error) != "denied" or _code(error) in CODES:
        return None
    message = _message(error)
    if _NOT_ENABLED in message or _FORBIDDEN in message or _LINKED.search(message):
        return None
    if error.operation_name.startswith(_ASSUME_ROLE):
        return None  # a matter of the role's trust policy
    found = _DENIED.search(message)
    return found["action"] if found else error.operation_name


def _known(error: Exception) -> ErrorText | None:
    return next((known for kinds, known in RAISED if isinstance(error, kinds)), None)


def _coded(error: ClientError) -> ErrorText | None:
    """Return the text for an answer whose code says enough."""
    name = _code(error)
    if error.operation_name == _WEB_IDENTITY and name in TOKEN_CODES:
        outcome, text = TOKEN_CODES[name]
        return ErrorText(outcome, text.format(one_line(_message(error))))
    return CODES.get(name)


def _explain_answer(error: ClientError) -> str:
    name, message = _code(error), _message(error)
    coded = _coded(error)
    if coded is not None:
        return coded.text
    if is_linked_account(error):
        return (
            "the tags are managed by the account that pays (the organization's management account);"
            " use credentials of that one"
        )
    if is_unseen_tag(error):
        return (
            f"{one_line(message)}; tag a resource that costs something, and try again when AWS has"
            " seen it, up to 24 hours later"
        )
    if name in DENIALS or _status(error) == 403:
        return _explain_account(message) or _explain_denial(error, message)
    if _status(error) >= 500:
        return f"AWS answers with an internal error ({_status(error)}); try again later"
    text = f"AWS refuses {error.operation_name} ({one_line(name)}): {one_line(message)}"
    return f"{text}; this may be a bug in ML Guard" if name in INVALID else text


def _explain_account(message: str) -> str | None:
    """Return the text for an account that has no Cost Explorer, None for any other denial."""
    if _NOT_ENABLED in message:
        return (
            "Cost Explorer is not enabled; open it once in the AWS console of the account that pays"
            " (Billing and Cost Management, Cost Explorer), and if that is another account, have"
            " Linked account access turned on there; the first figures take up to 24 hours"
        )
    if _LINKED.search(message):
        return (
            "this is a member account, and the account that pays gives it no access to Cost"
            " Explorer; have Linked account access turned on there, in the AWS console under"
            " Billing and Cost Management, Cost Management preferences"
        )
    return None


def _explain_denial(error: ClientError, message: str) -> str:
    found = _DENIED.search(message)
    who = f"{one_line(found['who'])} " if found else "these credentials "
    what = f" {one_line(found['what'])}" if found and found["what"] else ""
    action = found["action"] if found else error.operation_name
    if error.operation_name == _WEB_IDENTITY:
        return (
            "the web identity may not assume the role of AWS_ROLE_ARN; the role's trust policy must"
            f" allow sts:{_WEB_IDENTITY} to the cluster's identity provider, for the namespace and"
            " name of the pod's service account"
        )
    if error.operation_name.startswith(_ASSUME_ROLE):
        return (
            f"{who}may not assume the role{what}; the role's trust policy must name the caller, the"
            " account's `external_id` must match, and the caller must be allowed"
            " sts:AssumeRole"
        )
    if _FORBIDDEN in message:
        return (
            f"{who}may not {action}: a policy forbids it, perhaps one of the whole organization;"
            " ask those who manage it"
        )
    if action.startswith("kms:"):
        return (
            f"{who}may not {action} with the key{what}, which encrypts the bucket; allow it in this"
            " identity's own policy, and for it in the key's"
        )
    return f"{who}may not {action}; allow it with the policy in {POLICY}"


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class _Fields(dict[str, str]):
    """The fields of an error's text; a missing one has a general name."""

    def __missing__(self, name: str) -> str:
        return "AWS" if name == "endpoint_url" else "it"
