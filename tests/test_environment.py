"""What workers find in their environment, and what the service manager says in the watchdog's."""

import os

import pytest

from appliance.environment import service_watchdog_us, worker_environment


def test_a_worker_may_keep_little_unless_the_operator_says_otherwise(monkeypatch):
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "500")
    bounds = worker_environment()
    assert (bounds["MALLOC_ARENA_MAX"], bounds["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) == ("2", "500")
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    assert worker_environment()["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "64"


def test_a_worker_does_not_speak_to_the_service_manager(monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & set(worker_environment())


@pytest.mark.parametrize(
    ("pid", "said", "wanted_us"),
    [
        (None, "2000000", 2_000_000),
        (os.getpid(), "2000000", 2_000_000),
        (1, "2000000", 0),
        (None, "soon", 0),
        (None, "", 0),
    ],
)
def test_how_often_the_service_manager_wants_a_sign_of_life(monkeypatch, pid, said, wanted_us):
    monkeypatch.setenv("WATCHDOG_USEC", said)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", str(pid))
    assert service_watchdog_us() == wanted_us
