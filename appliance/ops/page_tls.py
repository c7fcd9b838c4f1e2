"""The certificate that the page shows: taken up when it changes on disk, renewed when it is the box's own."""

import ssl
from datetime import datetime
from pathlib import Path

from appliance.config import OpsConfig
from appliance.log import Log
from appliance.tls.certificate import Certificate, Standing, TlsError, date_problem, read, server_context
from appliance.tls.machine import BoxNames, names_of_this_machine
from appliance.tls.names import speaks_tls
from appliance.tls.own import PAIR, is_due, kept

Seen = tuple[tuple[int, int, int] | None, ...]  # of each file: when it was written, its length, its number


def certificate_for(ops: OpsConfig, names: BoxNames, now: datetime) -> Certificate:
    """The operator's certificate, or the box's own, made where it is missing. Raises TlsError."""
    if ops.certificate_file:
        return read(Path(ops.certificate_file), Path(ops.key_file))
    return kept(ops.tls_folder, names, now)


class PageTls:
    """What new connections are given. A file that cannot be used changes nothing: the one before stays."""

    def __init__(self, ops: OpsConfig, log: Log) -> None:
        self.context: ssl.SSLContext | None = None
        self.problem = ""  # one sentence, also while an older certificate is still shown
        self._ops = ops
        self._log = log
        self._files = (ops.certificate_file, ops.key_file) if ops.certificate_file else (ops.tls_folder / PAIR,)
        self._names = names_of_this_machine(ops)
        self._certificate: Certificate | None = None
        self._seen: Seen = ()
        self._unusable = ""  # why the files as they are now cannot be taken up

    def look(self, now: datetime) -> None:
        """Take up what has changed, and say so once. As a rule it costs a look at the files' dates."""
        if not speaks_tls(self._ops):
            return
        if self._look_at_files() != self._seen or self._is_own_due(now):
            self._unusable = self._take_up(now)
        problem = self._unusable or (date_problem(self._certificate, now) if self._certificate else "")
        if problem and problem != self.problem:
            self._log.error(problem)
        self.problem = problem

    def standings(self) -> dict[str, Standing]:
        """For metrics; none where the page is not asked for over TLS."""
        if not speaks_tls(self._ops):
            return {}
        return {"page": Standing(self._certificate.ends if self._certificate else None, not self.problem)}

    def _is_own_due(self, now: datetime) -> bool:
        own = None if self._ops.certificate_file else self._certificate
        return own is not None and is_due(own, (), now)

    def _take_up(self, now: datetime) -> str:
        """Returns what is in the way, in one sentence; empty: it is in use from now on."""
        self._seen = self._look_at_files()  # before they are read: who changes them meanwhile is seen
        try:
            found = certificate_for(self._ops, self._names, now)
            context = server_context(found)
        except TlsError as error:
            return str(error)
        if not self._ops.certificate_file:
            self._seen = self._look_at_files()  # it may have been made just now
        self._certificate, self.context = found, context
        # Names count when this process starts: an address that comes and goes is no reason for new certificates.
        self._names = BoxNames(frozenset(), self._names.needed | self._names.others)
        self._log.info(f"the page shows {found.path}, good until {found.ends:%Y-%m-%d}, SHA-256 {found.fingerprint}")
        return ""

    def _look_at_files(self) -> Seen:
        return tuple(_look_at(Path(file)) for file in self._files)


def _look_at(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
