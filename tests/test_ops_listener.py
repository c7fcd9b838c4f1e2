"""The socket of the operators' pages, and why it may not be opened."""

import socket
from pathlib import Path

import pytest

from appliance.config import OpsConfig
from appliance.ops import listener
from appliance.ops.errors import OpsError
from appliance.ops.listener import listen

HAS_IPV6 = Path("/proc/net/if_inet6").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", *(["::1"] if HAS_IPV6 else [])])
def test_it_listens_where_it_is_told_to(host):
    (made,) = listen(OpsConfig(host=host, port=0))
    with made, socket.create_connection((host, made.getsockname()[1])):
        accepted, _ = made.accept()
        accepted.close()


def test_this_machine_itself_is_always_listened_to(monkeypatch):
    monkeypatch.setattr(listener, "is_here", lambda _host: False)  # 127.0.0.2 stands for an address in a network
    outside, inside = listen(OpsConfig(host="127.0.0.2", port=0))
    with outside, inside, socket.create_connection(("127.0.0.1", outside.getsockname()[1])):
        accepted, _ = inside.accept()
        accepted.close()
    (everywhere,) = listen(OpsConfig(host="0.0.0.0", port=0))
    everywhere.close()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "is not an address of this machine; correct ops.host"),
        ("no such host", "is not the address of a host; correct ops.host"),
    ],
)
def test_a_wrong_host_is_said_in_one_sentence(host, reason):
    with pytest.raises(OpsError) as refused:
        listen(OpsConfig(host=host, port=9470))
    assert str(refused.value) == f"cannot show metrics and events: TCP {host}:9470 (ops.host, ops.port) {reason}"


def test_a_taken_port_is_said_in_one_sentence():
    (first,) = listen(OpsConfig(port=0))
    with first:
        port = first.getsockname()[1]
        with pytest.raises(OpsError, match=f"TCP 127.0.0.1:{port} .* is used by another program; stop that one"):
            listen(OpsConfig(port=port))
