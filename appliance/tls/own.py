"""The certificate that the box makes for itself where the operator gives none: self-signed, and renewed in time."""

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.tls.certificate import Certificate, TlsError, read
from appliance.tls.machine import BoxNames

VALID = timedelta(days=397)  # browsers take none that is valid for longer than 398
BEFORE = timedelta(days=1)  # clocks of phones may be behind
RENEW = timedelta(days=30)  # so long before its end
PAIR = "page.pem"  # key and certificate in one file: no crash can leave one without the other
PUBLIC = "page-certificate.pem"  # the certificate alone, to be given to those who should trust it
COMMON_NAME = "Dragoman"


def kept(folder: Path, names: BoxNames, now: datetime) -> Certificate:
    """The certificate in `folder`, made anew where there is none that will do. Raises TlsError."""
    found = found_in(folder)
    if found and not is_due(found, names.needed, now):
        return found
    pem, key = make(names.needed | names.others, now)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(folder / PAIR, key + pem, 0o600)
        _write(folder / PUBLIC, pem, 0o644)
    except OSError as error:
        fix = "correct ops.tls_folder, or let the appliance's user write there"
        raise TlsError(f"ops.tls_folder: cannot keep a certificate in {folder}: {error.strerror}; {fix}") from None
    return read(folder / PAIR, folder / PAIR)


def found_in(folder: Path) -> Certificate | None:
    """What is there already; None also where it is damaged."""
    try:
        return read(folder / PAIR, folder / PAIR)
    except TlsError:
        return None


def is_due(certificate: Certificate, needed: Iterable[str], now: datetime) -> bool:
    """Whether a new one has to be made: it ends soon, is from a clock that was wrong, or lacks one of the names."""
    in_time = certificate.begins <= now < certificate.ends - RENEW
    return not in_time or not certificate.names.issuperset(needed)


def make(names: frozenset[str], now: datetime) -> tuple[bytes, bytes]:
    """A certificate that is valid from a day before `now`, and its key: ECDSA P-256, PEM.

    It cannot sign others (no CA): whoever trusts it trusts this box and nothing else.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    myself = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    made = (
        x509.CertificateBuilder(subject_name=myself, issuer_name=myself, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now - BEFORE + VALID)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), secret


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, content: bytes, mode: int) -> None:
    """In one piece: whoever reads meanwhile gets the old or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
