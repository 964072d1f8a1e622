"""The webhook's certificate: made here and shared in a Secret, or read from files."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mlguard_common.errors import MLGuardError
from mlguard_injector.kubernetes import ApiError, KubernetesApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlguard_injector.config import CertificateConfig

_DAYS = 365
_RENEW_DAYS = 90
_OVERLAP = timedelta(hours=1)
"""Age of the clock's error that a new certificate forgives."""

log = logging.getLogger(__name__)


class CertificateError(MLGuardError):
    """A certificate that cannot be used; the text says which and why."""


@dataclass(frozen=True)
class KeyPair:
    """Certificate with its key.

    Attributes:
        certificate: PEM, the leaf first.
        key: PEM.
        authority: PEM of who has signed it, and of who has signed the last one, if known.
    """

    certificate: bytes
    key: bytes
    authority: bytes = b""

    @property
    def expires(self) -> datetime:
        """When the leaf expires.

        Raises:
            ValueError: the certificate cannot be read.
        """
        return x509.load_pem_x509_certificate(self.certificate).not_valid_after_utc

    @property
    def names(self) -> list[str]:
        """DNS names of the server; none if the leaf has no such extension.

        Raises:
            ValueError: the certificate cannot be read.
        """
        leaf = x509.load_pem_x509_certificate(self.certificate)
        found = [
            each.value.get_values_for_type(x509.DNSName)
            for each in leaf.extensions
            if isinstance(each.value, x509.SubjectAlternativeName)
        ]
        return found[0] if found else []


def make_key_pair(names: list[str], now: datetime) -> KeyPair:
    """Return a new certificate for a server, signed by an authority of its own.

    The key of the authority is thrown away: it can sign nothing else.

    Args:
        names: DNS names of the server.
        now: the time.
    """
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ML Guard injector authority")])
    begin, end = now - _OVERLAP, now + timedelta(days=_DAYS)

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )

    authority = (
        builder(issuer, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        builder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]), key.public_key()
        )
        .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    return KeyPair(
        leaf.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        authority.public_bytes(serialization.Encoding.PEM),
    )


class Certificates:
    """Keeps the certificate of a TLS context fresh, without a restart.

    Args:
        config: where it comes from.
        api: the API, for a certificate in a Secret.
        clock: epoch seconds.

    Attributes:
        context: for the server; new connections use the certificate that was loaded last.
        expires: epoch seconds; 0 before the first is loaded.
    """

    def __init__(
        self, config: CertificateConfig, api: KubernetesApi, clock: Callable[[], float]
    ) -> None:
        self._config = config
        self._api = api
        self._clock = clock
        self._loaded: KeyPair | None = None
        self._requested = asyncio.Event()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.expires = 0.0

    async def refresh(self) -> None:
        """Load the certificate if it is another one; renew it if it is ours and old.

        Raises:
            CertificateError: there is none that can be used.
        """
        if self._config.secret is None:
            pair = self._from_files()
        else:
            pair = await self._from_secret(self._config.secret, self._config.namespace or "")
        if pair != self._loaded:
            self._load(pair)

    def _from_files(self) -> KeyPair:
        config = self._config
        try:
            return KeyPair(Path(config.cert_file).read_bytes(), Path(config.key_file).read_bytes())
        except OSError as error:
            raise CertificateError(f"{error.filename}: {error.strerror}") from error

    async def _from_secret(self, name: str, namespace: str) -> KeyPair:
        try:
            found = await self._api.secret(namespace, name)
            pair = _pair_of(found)
            if pair is None or self._is_old(pair) or pair.names != self._names(namespace):
                made = make_key_pair(self._names(namespace), self._now())
                if pair is not None:
                    # replicas serve the last certificate until they look again
                    last = x509.load_pem_x509_certificates(pair.authority)[0]
                    both = made.authority + last.public_bytes(serialization.Encoding.PEM)
                    made = KeyPair(made.certificate, made.key, both)
                try:
                    await self._api.write_secret(namespace, name, _data_of(made), found)
                    log.info("a new certificate is in the secret %s", name)
                    pair = made
                except ApiError as error:
                    if error.status != 409:
                        raise
                    pair = _pair_of(await self._api.secret(namespace, name))  # another replica's
            if pair is None:
                raise CertificateError(f"the secret {name} has no certificate yet")
            await self._api.set_bundle(self._config.webhook, pair.authority)
        except ApiError as error:
            if self._loaded is not None:
                log.warning("the certificate cannot be looked after: %s", error)
                return self._loaded
            raise CertificateError(str(error)) from error
        return pair

    def _names(self, namespace: str) -> list[str]:
        service = f"{self._config.service}.{namespace}"
        return [f"{service}.svc", f"{service}.svc.cluster.local", service]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _is_old(self, pair: KeyPair) -> bool:
        return pair.expires - self._now() < timedelta(days=_RENEW_DAYS)

    def _load(self, pair: KeyPair) -> None:
        # the ssl module reads files alone; these are private, and gone at once
        try:
            with tempfile.TemporaryDirectory() as folder:
                paths = [Path(folder) / name for name in ("tls.crt", "tls.key")]
                for path, content in zip(paths, (pair.certificate, pair.key), strict=True):
                    with open(path, "wb", opener=_private) as file:
                        file.write(content)
                expires = pair.expires.timestamp()
                # first on trial: a context keeps the half of a pair that does not match
                for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
                    # a password, as the library would ask the terminal for that of a locked key
                    context.load_cert_chain(paths[0], paths[1], password="")
        except (OSError, ValueError) as error:
            raise CertificateError(f"the certificate cannot be used: {error}") from error
        self.expires = expires
        self._loaded = pair
        log.info("the certificate is valid until %s", pair.expires.date())

    def request(self) -> None:
        """Request that the certificate is looked at soon."""
        self._requested.set()

    async def run(self, seconds: float) -> None:
        """Refresh at intervals and on request, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._requested.wait()
            self._requested.clear()
            try:
                await self.refresh()
            except CertificateError as error:
                log.error("%s; the last certificate stays in use", error)  # noqa: TRY400


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _pair_of(secret: dict[str, object] | None) -> KeyPair | None:
    """Return the certificate in a Secret; None if its parts cannot be read or do not match."""
    data = (secret or {}).get("data")
    if not isinstance(data, dict):
        return None
    try:
        parts = [base64.b64decode(data[key]) for key in ("tls.crt", "tls.key", "ca.crt")]
        pair = KeyPair(*parts)
        leaf = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, None)
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificates(pair.authority)[0])
    except (KeyError, ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        return None
    return pair if key.public_key() == leaf.public_key() else None


def _data_of(pair: KeyPair) -> dict[str, bytes]:
    return {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": pair.authority}
