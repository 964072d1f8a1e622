"""Texts for AWS's errors: found, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError


class ErrorText(NamedTuple):
    """How a request ended, as the value of the label `outcome`, and the text for users."""

    outcome: str
    text: str


_LOG_IN = "log in again, such as with `aws sso login` or `aws login`, with the same profile"
_EXPIRED = ErrorText("expired", f"the credentials have expired; renew them, or {_LOG_IN}")
_UNKNOWN_KEY = ErrorText(
    "denied",
    "AWS does not know the credentials; check for a mistyped, deleted or deactivated access key",
)
_CLOCK = ErrorText(
    "denied",
    "AWS refuses the request's signature; check whether this machine's clock is right, and whether"
    " the secret access key is complete",
)
_THROTTLED = ErrorText("throttled", "AWS takes no more requests for now; try again later")
_UNAVAILABLE = ErrorText("unavailable", "AWS has an internal error; try again later")
_PAGES = ErrorText("invalid", "AWS has changed its figures between two pages; try again")
_OPT_IN = ErrorText(
    "denied",
    "the AWS account is not signed up for this service; finish its registration in the AWS console",
)
_TOKEN = ErrorText(
    "denied",
    "AWS does not accept the web identity token ({}); in IAM of the role's account, create an"
    " identity provider for the cluster's OIDC issuer, with the audience sts.amazonaws.com",
)
_TOKEN_EXPIRED = ErrorText(
    "expired",
    "the web identity token has expired; have AWS_WEB_IDENTITY_TOKEN_FILE name the file that"
    " Kubernetes mounts and renews, not a copy of it, or renew the token",
)
TOKEN_CODES = {
    "ExpiredToken": _TOKEN_EXPIRED,
    "ExpiredTokenException": _TOKEN_EXPIRED,
    "InvalidIdentityToken": _TOKEN,
    "InvalidIdentityTokenException": _TOKEN,
    "IDPRejectedClaim": _TOKEN,
    "IDPCommunicationError": ErrorText(
        "unavailable",
        "AWS cannot reach the cluster's identity provider to check the web identity token; check"
        " that its OIDC issuer is public, and try again later",
    ),
}
"""By the code of AWS's answer to AssumeRoleWithWebIdentity; braces stand for its message."""
_KEY = ErrorText(
    "denied",
    "the KMS key that encrypts the bucket is disabled, deleted or in another region; enable it, or"
    " have the export delivered again with another",
)
CODES = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _CLOCK,
    "TokenRefreshRequired": _EXPIRED,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidToken": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _CLOCK,
    "InvalidSignatureException": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
    "ThrottledException": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "SlowDown": _THROTTLED,
    "429": _THROTTLED,
    "LimitExceededException": _THROTTLED,
    "BackfillLimitExceededException": ErrorText(
        "throttled",
        "AWS splits the past once in 24 hours, and one such request is under way or was made;"
        " try again tomorrow",
    ),
    "DataUnavailableException": ErrorText(
        "unavailable",
        "AWS has no figures yet; in a new account, and after Cost Explorer was opened for the first"
        " time, they take up to 24 hours",
    ),
    "BillExpirationException": ErrorText(
        "invalid", "AWS does not keep bills of these days any more; ask for later ones"
    ),
    "InvalidNextTokenException": _PAGES,
    "InvalidNextToken": _PAGES,
    "RequestChangedException": _PAGES,
    "NoSuchBucket": ErrorText(
        "invalid", "there is no such S3 bucket; correct the account's `export`"
    ),
    "RegionDisabledException": ErrorText(
        "denied",
        "AWS STS is not active in this region for the account; activate it in the AWS console under"
        " IAM, Account settings, or set AWS_DEFAULT_REGION to a region where it is",
    ),
    "KMS.DisabledException": _KEY,
    "KMS.NotFoundException": _KEY,
    "KMS.KMSInvalidStateException": _KEY,
    "OptInRequired": _OPT_IN,
    "SubscriptionRequiredException": _OPT_IN,
    "ServiceUnavailable": _UNAVAILABLE,
    "ServiceUnavailableException": _UNAVAILABLE,
    "InternalFailure": _UNAVAILABLE,
    "InternalError": _UNAVAILABLE,
    "InternalServerError": _UNAVAILABLE,
}
"""By the code of AWS's answer."""

INVALID = ("ValidationException", "ValidationError", "InvalidParameterValue")
DENIALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
RAISED: tuple[tuple[tuple[type[Exception], ...], ErrorText], ...] = (
    (
        (boto.NoCredentialsError, boto.NoAuthTokenError),
        ErrorText(
            "denied",
            "no AWS credentials are found; give an access key, a profile or a role, such as with"
            " `aws configure`, or `profile` of the account in the configuration",
        ),
    ),
    (
        (boto.PartialCredentialsError,),
        ErrorText("denied", "the AWS credentials are not complete: {provider} lacks {cred_var}"),
    ),
    (
        (boto.ProfileNotFound,),
        ErrorText(
            "denied",
            "there is no AWS profile {profile}; see `aws configure list-profiles`, and correct"
            " `profile` in the configuration or the variable AWS_PROFILE",
        ),
    ),
    (
        (boto.ConfigNotFound, boto.ConfigParseError),
        ErrorText("denied", "AWS's configuration file {path} cannot be read; correct it"),
    ),
    (
        (boto.SSOError, boto.TokenRetrievalError, boto.LoginError),
        ErrorText("expired", f"the login at AWS has expired or cannot be read; {_LOG_IN}"),
    ),
    (
        (boto.MetadataRetrievalError,),
        ErrorText(
            "error",
            "the metadata service gives no credentials ({error_msg}); attach a role to the"
            " instance, task or pod, and let the exporter reach the service",
        ),
    ),
    (
        (boto.CredentialRetrievalError,),
        ErrorText(
            "error",
            "{provider} gives no credentials ({error_msg}); correct AWS's configuration until `aws"
            " sts get-caller-identity` answers",
        ),
    ),
    (
        (boto.InvalidConfigError,),
        ErrorText(
            "denied", "AWS's configuration is not complete ({error_msg}); correct the profile"
        ),
    ),
    (
        (boto.RefreshWithMFAUnsupportedError,),
        ErrorText(
            "denied",
            "the AWS profile asks for a code of multi-factor authentication, which a daemon cannot"
            " give; use a role or a key without it",
        ),
    ),
    (
        (boto.ConnectTimeoutError,),
        ErrorText(
            "timeout",
            "{endpoint_url} cannot be reached in time; check for a firewall or proxy in between",
        ),
    ),
    (
        (boto.ReadTimeoutError,),
        ErrorText("timeout", "{endpoint_url} does not answer in time; try again later"),
    ),
    (
        (boto.ProxyConnectionError,),
        ErrorText(
            "connection", "the proxy cannot be reached; check HTTPS_PROXY, HTTP_PROXY, NO_PROXY"
        ),
    ),
    (
        (boto.SSLError,),
        ErrorText(
            "connection",
            "the certificate of {endpoint_url} is not trusted; where a proxy opens connections,"
            " give its certificate in AWS_CA_BUNDLE",
        ),
    ),
    (
        (boto.EndpointConnectionError,),
        ErrorText(
            "connection",
            "{endpoint_url} cannot be reached; check the network, a proxy, and the name service",
        ),
    ),
    (
        (boto.ConnectionClosedError,),
        ErrorText("connection", "{endpoint_url} closed the connection; try again later"),
    ),
    (
        (boto.ConnectionError, boto.HTTPClientError),
        ErrorText("connection", "the connection to AWS broke; try again later"),
    ),
    (
        (ResponseParserError,),
        ErrorText(
            "server_error", "AWS's answer cannot be read; is something else listening there?"
        ),
    ),
)
"""By the type of what boto3 raises; names in braces are its fields."""
