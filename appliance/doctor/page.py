"""The operators' page: whether it can be reached over TLS, with which certificate, and for how long."""

from datetime import datetime, timedelta
from pathlib import Path

from appliance.config import OpsConfig
from appliance.doctor.findings import Finding, advice, ok
from appliance.tls.certificate import Certificate, TlsError, date_problem, read, server_context, utc_now
from appliance.tls.names import speaks_tls
from appliance.tls.own import found_in, is_due

CHECK = "page"
SOON = timedelta(days=14)  # as DragomanCertificateEnds


def examine(ops: OpsConfig) -> Finding:
    """Makes nothing where there is nothing yet. No call needs the page: whatever is wrong with it is advice."""
    if not speaks_tls(ops):
        return ok(CHECK, f"for this machine alone (ops.host is {ops.host}), so without TLS")
    if ops.certificate_file:
        return _given(ops, utc_now())
    return _own(found_in(ops.tls_folder), utc_now())


def _own(found: Certificate | None, now: datetime) -> Finding:
    if found is None:
        return ok(CHECK, "no certificate yet: dragoman up makes one, and says its fingerprint")
    if is_due(found, (), now):
        return advice(CHECK, f"its own certificate ends on {found.ends:%Y-%m-%d}", "dragoman up makes a new one")
    return ok(CHECK, f"TLS, its own certificate, until {found.ends:%Y-%m-%d}, SHA-256 {found.fingerprint}")


def _given(ops: OpsConfig, now: datetime) -> Finding:
    try:
        found = read(Path(ops.certificate_file), Path(ops.key_file))
        server_context(found)
    except TlsError as error:
        return _told(str(error))
    if problem := date_problem(found, now):
        return _told(problem)
    if found.ends - now < SOON:
        fix = "put a new one in its place, which is taken up without a restart"
        return advice(CHECK, f"{found.path} expires on {found.ends:%Y-%m-%d}", fix)
    return ok(CHECK, f"TLS, {found.path}, until {found.ends:%Y-%m-%d}")


def _told(sentence: str) -> Finding:
    found, _, fix = sentence.partition("; ")
    return advice(CHECK, found, fix)
