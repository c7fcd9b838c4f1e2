"""Certificates of the page: one of its own, renewed in time; an operator's, and what is said of a bad one."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.config import OpsConfig
from appliance.doctor import page
from appliance.log import Log
from appliance.ops.page_tls import PageTls
from appliance.tls.certificate import TlsError, date_problem, read, server_context
from appliance.tls.machine import BoxNames, names_of_this_machine
from appliance.tls.names import is_here, page_address, speaks_tls
from appliance.tls.own import PAIR, found_in, is_due, kept, make

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = BoxNames(frozenset({"localhost", "127.0.0.1", "::1", "box.test"}), frozenset({"10.0.0.7"}))


def write(folder: Path, name: str, now: datetime = NOW) -> tuple[Path, Path]:
    """A certificate and its key, as an operator has them."""
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    for path, pem in zip(paths, make(NAMES.needed, now), strict=True):
        path.write_bytes(pem)
    return paths


def test_the_box_makes_a_certificate_that_browsers_take(tmp_path):
    made = kept(tmp_path / "tls", NAMES, NOW)
    assert made.names == NAMES.needed | NAMES.others
    assert made.begins < NOW
    assert made.ends - made.begins == 397 * DAY
    assert (tmp_path / "tls" / PAIR).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    assert b"PRIVATE" not in (tmp_path / "tls/page-certificate.pem").read_bytes()
    server_context(made)
    assert kept(tmp_path / "tls", NAMES, NOW + 300 * DAY) == made


@pytest.mark.parametrize(
    ("now", "needed", "due"),
    [
        (NOW, NAMES.needed, False),
        (NOW + 365 * DAY, NAMES.needed, False),
        (NOW + 366 * DAY, NAMES.needed, True),  # 30 days before its end
        (NOW + 1000 * DAY, NAMES.needed, True),
        (NOW - 2 * DAY, NAMES.needed, True),  # the clock was wrong when it was made
        (NOW, {"10.0.0.7"}, False),
        (NOW, {"10.0.0.8"}, True),
    ],
)
def test_it_is_renewed_in_time_and_for_new_names(tmp_path, now, needed, due):
    made = kept(tmp_path, NAMES, NOW)
    assert is_due(made, needed, now) is due
    again = kept(tmp_path, BoxNames(frozenset(needed), NAMES.needed), now)
    assert (again.fingerprint != made.fingerprint) is due


def test_a_damaged_one_is_made_anew(tmp_path):
    made = kept(tmp_path, NAMES, NOW)
    (tmp_path / PAIR).write_bytes((tmp_path / PAIR).read_bytes()[:300])
    assert found_in(tmp_path) is None
    assert kept(tmp_path, NAMES, NOW).fingerprint != made.fingerprint


def test_a_folder_that_cannot_be_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TlsError, match=r"ops.tls_folder: cannot keep a certificate in .*/file/tls: .*; correct"):
        kept(tmp_path / "file" / "tls", NAMES, NOW)


def spoil_key(folder: Path) -> tuple[Path, Path]:
    return write(folder, "one")[0], write(folder, "other")[1]


def lock_key(folder: Path) -> tuple[Path, Path]:
    certificate, key = write(folder, "one")
    locked = serialization.BestAvailableEncryption(b"secret")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(*form, locked))
    return certificate, key


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (lambda folder: (folder / "no.crt", folder / "no.key"), "ops.certificate_file: cannot read {}/no.crt: No such"),
        (
            lambda folder: write(folder, "one")[::-1],
            "ops.certificate_file: {}/one.key holds no certificate",
        ),
        (lambda folder: (write(folder, "one")[0],) * 2, "ops.key_file: {}/one.crt holds no private key in PEM form"),
        (spoil_key, "ops.key_file: {}/other.key is not the key of {}/one.crt; put both files of one certificate"),
        (lock_key, "ops.key_file: {}/one.key asks for a passphrase, which nobody is there to type; write it without"),
    ],
)
def test_files_that_will_not_do_are_said_in_one_sentence(tmp_path, files, sentence):
    certificate, key = files(tmp_path)
    with pytest.raises(TlsError) as refused:
        read(certificate, key)
    assert str(refused.value).startswith(sentence.replace("{}", str(tmp_path)))
    finding = page.examine(OpsConfig(host="0.0.0.0", certificate_file=str(certificate), key_file=str(key)))
    assert (finding.level, f"{finding.found}; {finding.fix}") == ("advice", str(refused.value))


def test_dates_are_said_in_one_sentence(tmp_path):
    one = read(*write(tmp_path, "one"))
    assert date_problem(one, NOW) == ""
    assert "one.crt has expired on 2027-12-25; put a new one in its place" in date_problem(one, NOW + 396 * DAY)
    assert "one.crt is not valid before 2026-11-23; correct the clock" in date_problem(one, NOW - 2 * DAY)


class Told(list[str]):
    """What is written into the log."""

    def log(self) -> Log:
        return Log("ops", lambda line: self.append(f"{line.level}: {line.text}"))


def shown(tls: PageTls) -> str:
    """Which certificate a new connection is shown."""
    visitor = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    visitor.check_hostname, visitor.verify_mode = False, ssl.CERT_NONE
    to_page, to_visitor = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = visitor.wrap_bio(to_visitor, to_page), tls.context.wrap_bio(to_page, to_visitor, server_side=True)
    for _ in range(3):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ssl.DER_cert_to_PEM_cert(ends[0].getpeercert(binary_form=True))


def test_an_operators_new_certificate_is_taken_up_and_a_bad_one_is_not(tmp_path):
    certificate, key = write(tmp_path, "one")
    told = Told()
    tls = PageTls(OpsConfig(certificate_file=str(certificate), key_file=str(key)), told.log())
    tls.look(NOW)
    first = shown(tls)
    new_certificate, new_key = write(tmp_path, "new", NOW + DAY)
    new_certificate.replace(certificate)  # one file after the other, as programs do that renew
    for _ in range(3):
        tls.look(NOW + DAY)
    assert shown(tls) == first
    assert not tls.standings()["page"].is_usable
    new_key.replace(key)
    tls.look(NOW + DAY)
    assert shown(tls) == certificate.read_text() != first
    assert tls.standings()["page"].is_usable
    assert [line.partition(":")[0] for line in told] == ["info", "error", "info"]
    tls.look(NOW + 398 * DAY)
    assert (shown(tls), tls.standings()["page"].is_usable) == (certificate.read_text(), False)
    assert "has expired on 2027-12-26" in told[-1]


def test_its_own_is_renewed_while_it_runs_and_nothing_is_made_where_nobody_needs_it(tmp_path):
    told = Told()
    tls = PageTls(OpsConfig(host="0.0.0.0", tls_folder=tmp_path / "tls"), told.log())
    tls.look(NOW)
    first = shown(tls)
    tls.look(NOW + 300 * DAY)
    assert shown(tls) == first
    tls.look(NOW + 380 * DAY)
    assert shown(tls) != first
    assert tls.standings()["page"].ends == NOW + 776 * DAY
    assert len(told) == 2
    at_home = PageTls(OpsConfig(tls_folder=tmp_path / "none"), told.log())
    at_home.look(NOW)
    assert (at_home.context, at_home.standings(), (tmp_path / "none").exists()) == (None, {}, False)


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("box", False)]
)
def test_tls_is_spoken_wherever_somebody_elsewhere_can_ask(host, here):
    assert is_here(host) is here
    assert speaks_tls(OpsConfig(host=host)) is not here
    assert page_address(OpsConfig(host=host, names=("box.test",))).startswith("http://" if here else "https://")


def test_a_certificate_is_for_all_names_of_the_machine():
    names = names_of_this_machine(OpsConfig(host="0.0.0.0", names=("box.test",)))
    assert {"localhost", "127.0.0.1", "::1", "box.test"} <= names.needed
    assert "0.0.0.0" not in names.needed | names.others


def test_doctor_says_how_long_it_is_good(tmp_path):
    ops = OpsConfig(host="0.0.0.0", tls_folder=tmp_path)
    assert "no certificate yet" in page.examine(ops).found
    made = kept(tmp_path, NAMES, datetime.now(UTC))
    assert made.fingerprint in page.examine(ops).found
    certificate, key = write(tmp_path, "late", datetime.now(UTC) - 390 * DAY)
    finding = page.examine(OpsConfig(certificate_file=str(certificate), key_file=str(key)))
    assert finding.level == "advice"
    assert "late.crt expires on" in finding.found
    assert "without TLS" in page.examine(OpsConfig()).found
