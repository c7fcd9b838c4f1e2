"""A certificate and its key in files: what is in them, whether it is good now, and what to say where it is not."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

CERTIFICATE_FILE, KEY_FILE = "ops.certificate_file", "ops.key_file"


class TlsError(Exception):
    """A certificate cannot be used; the message is one sentence: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What browsers are shown, and where it is; `names`: hosts and addresses that it is for."""

    path: Path
    key_path: Path
    names: frozenset[str]
    begins: datetime
    ends: datetime
    fingerprint: str  # SHA-256, in pairs of hexadecimal digits, as browsers show it


@dataclass(frozen=True, slots=True)
class Standing:
    """How it is about a certificate now; `ends`: None where there is none to be shown."""

    ends: datetime | None
    is_usable: bool


def read(path: Path, key_path: Path) -> Certificate:
    """The first certificate in `path`, whose key is in `key_path`; both PEM, as the operator wrote. Raises TlsError."""
    try:
        first = x509.load_pem_x509_certificates(_bytes(path, CERTIFICATE_FILE))[0]
    except ValueError:
        raise TlsError(
            f"{CERTIFICATE_FILE}: {path} holds no certificate in PEM form; name the file that does"
        ) from None
    if _plain(first.public_key()) != _plain(_public_key(key_path)):
        raise TlsError(
            f"{KEY_FILE}: {key_path} is not the key of {path}; put both files of one certificate there, "
            "the box's own first in its file"
        )
    return Certificate(
        path=path,
        key_path=key_path,
        names=_names(first),
        begins=first.not_valid_before_utc,
        ends=first.not_valid_after_utc,
        fingerprint=first.fingerprint(hashes.SHA256()).hex(":").upper(),
    )


def date_problem(certificate: Certificate, now: datetime) -> str:
    """What is wrong with its dates, in one sentence; empty if nothing is. It can be shown all the same."""
    if now >= certificate.ends:
        fix = "put a new one in its place, which is taken up without a restart"
        return f"{CERTIFICATE_FILE}: {certificate.path} has expired on {certificate.ends:%Y-%m-%d}; {fix}"
    if now < certificate.begins:
        fix = f"correct the clock of this machine, which says {now:%Y-%m-%d}, or wait"
        return f"{CERTIFICATE_FILE}: {certificate.path} is not valid before {certificate.begins:%Y-%m-%d}; {fix}"
    return ""


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """What a connection is given to speak TLS 1.2 or newer with `certificate`. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate.path, certificate.key_path)
    except OSError as error:  # SSLError is one: a key that is too short, for instance
        reason = error.strerror or str(error)
        raise TlsError(f"{CERTIFICATE_FILE}: TLS cannot use {certificate.path}: {reason}; get another one") from None
    return context


def _bytes(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fix = "correct the path, or let the appliance's user read it"
        raise TlsError(f"{setting}: cannot read {path}: {error.strerror}; {fix}") from None


def _public_key(path: Path) -> PublicKeyTypes:
    pem = _bytes(path, KEY_FILE)
    try:
        return serialization.load_pem_private_key(pem, None).public_key()
    except TypeError:
        fix = "write it without one (openssl pkey -in OLD -out NEW)"
        raise TlsError(f"{KEY_FILE}: {path} asks for a passphrase, which nobody is there to type; {fix}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise TlsError(f"{KEY_FILE}: {path} holds no private key in PEM form; name the file that does") from None


def _plain(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    addresses = found.get_values_for_type(x509.IPAddress)
    return frozenset((*found.get_values_for_type(x509.DNSName), *map(str, addresses)))


def utc_now() -> datetime:
    """The wall clock: certificates know no other."""
    return datetime.now(UTC)
