"""Who may change voices over HTTP: the first visit, the password, sessions, the token."""

import pytest

from appliance.ops.voices import access
from appliance.ops.voices.access import Access, AccessDenied, new_secret

PASSWORD = "correct horse"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config" / "access.json"


@pytest.fixture
def door(file):
    """A box whose administrator has set a password."""
    made = Access(file)
    made.set_password(new_secret(file), PASSWORD)
    return made


def test_the_secret_sets_the_password_once(file):
    secret = new_secret(file)
    door = Access(file)
    assert door.is_new
    session = door.set_password(f" {secret.upper()} ", PASSWORD)
    assert door.session(session.cookie) == session
    assert not door.is_new
    with pytest.raises(AccessDenied, match="there is a password already") as denied:
        door.set_password(secret, "another password")
    assert denied.value.status == 409
    assert new_secret(file) == ""


def test_only_the_last_secret_counts(file):
    old, new = new_secret(file), new_secret(file)
    door = Access(file)
    with pytest.raises(AccessDenied, match="this is not the secret"):
        door.set_password(old, PASSWORD)
    assert door.set_password(new, PASSWORD)


def test_without_a_secret_nobody_sets_a_password(file):
    with pytest.raises(AccessDenied, match="this is not the secret"):
        Access(file).set_password("", PASSWORD)
    with pytest.raises(AccessDenied, match="there is no password yet"):
        Access(file).log_in(PASSWORD)


@pytest.mark.parametrize("password", ["", "123456789", "x" * 1001])
def test_a_password_has_a_length(file, password):
    with pytest.raises(AccessDenied, match="a password has 10 to 1000 characters"):
        Access(file).set_password(new_secret(file), password)


def test_the_file_tells_nobody_anything(door, file):
    token = door.new_token()
    content = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in content
    assert token not in content
    assert [path.name for path in file.parent.iterdir()] == ["access.json"]


def test_the_password_lets_in_and_another_does_not(door):
    assert door.session(door.log_in(PASSWORD).cookie)
    for wrong in ("", "Correct horse", "x" * 100_000):
        with pytest.raises(AccessDenied, match="this is not the password") as denied:
            door.log_in(wrong)
        assert denied.value.status == 403


def test_guessing_is_slowed_down_also_for_the_right_password(door, monkeypatch):
    time_ns = 1
    monkeypatch.setattr(access, "now_ns", lambda: time_ns)
    for _ in range(access._TRIES):
        with pytest.raises(AccessDenied, match="this is not"):
            door.log_in("a guess")
    with pytest.raises(AccessDenied, match="wait a minute") as denied:
        door.log_in(PASSWORD)
    assert denied.value.status == 429
    time_ns += 61 * 10**9
    assert door.log_in(PASSWORD)


def test_a_session_ends(door, monkeypatch):
    session = door.log_in(PASSWORD)
    door.log_out(session.cookie)
    assert door.session(session.cookie) is None
    session = door.log_in(PASSWORD)
    monkeypatch.setattr(access, "now_ns", lambda: session.ends_ns + 1)
    assert door.session(session.cookie) is None


def test_a_new_token_ends_the_one_before(door, file):
    assert not door.is_token("")
    old, new = door.new_token(), door.new_token()
    assert (door.is_token(old), door.is_token(new)) == (False, True)
    assert Access(file).is_token(new), "it outlives a restart"


def test_a_damaged_file_lets_nobody_in(door, file):
    file.write_text("{")
    for ask in (lambda: door.log_in(PASSWORD), lambda: door.is_token("x"), lambda: new_secret(file)):
        with pytest.raises(AccessDenied, match=r"access\.json cannot be read"):
            ask()
