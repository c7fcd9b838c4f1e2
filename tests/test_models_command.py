"""`dragoman models`: a model comes whole or goes on where it broke off, and nobody uses it who has not accepted it."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from appliance.cli import app
from appliance.engines.protocols import EngineError, EngineRefused
from appliance.xtts.acceptance import require_acceptance

LICENCE = b"You may do this, and you may not do that.\n"
FILES = {
    "config.json": b"{}",
    "vocab.json": b'{"model": {}}',
    "model.pth": bytes(range(256)) * 4000,
    "speakers_xtts.pth": b"speakers" * 100,
    "LICENSE.txt": LICENCE,
}


class Shop(ThreadingHTTPServer):
    """Where an operator keeps the files; it can break off, and forget how to continue."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Counter)
        self.files = dict(FILES)
        self.files["SHA256SUMS"] = sums_of(FILES)
        self.break_off_after = 0
        self.continues = True
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/models/"


class Counter(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        name, wanted = self.path.removeprefix("/models/"), self.headers.get("Range", "")
        self.server.asked.append((name, wanted))
        content = self.server.files.get(name)
        if content is None:
            return self.send_error(404)
        first = int(wanted.removeprefix("bytes=").removesuffix("-") or 0) if self.server.continues else 0
        if first and first >= len(content):
            return self.send_error(416)
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        end = first + self.server.break_off_after if self.server.break_off_after else len(content)
        self.wfile.write(content[first:end])
        return None

    def log_message(self, format: str, *args: object) -> None:
        pass


def sums_of(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()).encode()


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "appliance.toml").write_text(
        f'cache_dir = "{tmp_path / "cache"}"\n[cloud.xtts]\nfolder = "{tmp_path / "xtts"}"\n'
        f'acceptance_file = "{tmp_path / "state" / "accepted.json"}"\n'
    )
    return tmp_path / "xtts"


def models(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments, "--config", str(folder.parent / "appliance.toml")])


def refused(folder: Path, *arguments: str) -> str:
    """The sentence that a command ends in."""
    error = models(folder, *arguments).exception
    assert isinstance(error, EngineError)
    assert "\n" not in str(error)
    return str(error)


def accepted(folder: Path, shop: Shop) -> None:
    refused(folder, "fetch", "--from", shop.address)
    assert models(folder, "accept", "--by", "Ana Souza", "--yes").exit_code == 0


def test_before_the_weights_come_the_licence_comes_and_has_to_be_accepted(shop: Shop, folder: Path) -> None:
    sentence = refused(folder, "fetch", "--from", shop.address)
    assert f"read {folder / 'LICENSE.txt'}, then run: dragoman models accept" in sentence
    assert [name for name, _ in shop.asked] == ["SHA256SUMS", "LICENSE.txt"]
    assert not (folder / "model.pth").exists()

    answer = models(folder, "accept", "--by", "Ana Souza", "--yes", "--json")
    record = json.loads(answer.stdout)
    assert (record["by"], record["text"]) == ("Ana Souza", str(folder / "LICENSE.txt"))
    assert record["text_sha256"] == hashlib.sha256(LICENCE).hexdigest()
    assert record["at"].endswith("Z")
    assert "forbids commercial use" in record["licence"]

    done = models(folder, "fetch", "--from", shop.address, "--json")
    assert json.loads(done.stdout) == {"folder": str(folder), "files": sorted(FILES)}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == shop.files
    assert require_acceptance(folder, folder.parent / "state" / "accepted.json").by == "Ana Souza"


def test_another_text_has_to_be_accepted_again(shop: Shop, folder: Path) -> None:
    accepted(folder, shop)
    file = folder.parent / "state" / "accepted.json"
    assert require_acceptance(folder, file).by == "Ana Souza"
    (folder / "LICENSE.txt").write_bytes(LICENCE + b"And that neither.\n")
    with pytest.raises(EngineRefused, match="nobody has accepted the licence"):
        require_acceptance(folder, file)
    models(folder, "accept", "--by", "Bruno", "--yes")
    assert require_acceptance(folder, file).by == "Bruno"
    assert [one["by"] for one in json.loads(file.read_text())["accepted"]] == ["Ana Souza", "Bruno"]


def test_nothing_is_accepted_without_a_text_a_name_and_a_yes(folder: Path) -> None:
    assert "LICENSE.txt cannot be read (No such file or directory)" in refused(folder, "accept", "--by", "Ana", "--yes")
    folder.mkdir()
    (folder / "LICENSE.txt").write_bytes(b" \n")
    assert "LICENSE.txt is empty" in refused(folder, "accept", "--by", "Ana", "--yes")
    (folder / "LICENSE.txt").write_bytes(LICENCE)
    assert "needs a name" in refused(folder, "accept", "--by", "  ", "--yes")
    asked = CliRunner().invoke(
        app, ["models", "accept", "--by", "Ana", "-c", str(folder.parent / "appliance.toml")], input="n\n"
    )
    assert asked.exit_code == 1
    assert not (folder.parent / "state").exists()
    (folder.parent / "state").mkdir()
    (folder.parent / "state" / "accepted.json").write_text("[")
    assert "accepted.json is damaged" in refused(folder, "accept", "--by", "Ana", "--yes")


def test_a_download_goes_on_where_it_broke_off(shop: Shop, folder: Path) -> None:
    accepted(folder, shop)
    shop.break_off_after = 300_000
    sentence = refused(folder, "fetch", "--from", shop.address)
    assert "model.pth broke off after 300000 of 1024000 bytes; run the same again to go on" in sentence
    assert not (folder / "model.pth").exists()
    shop.break_off_after = 0
    shop.asked.clear()
    assert models(folder, "fetch", "--from", shop.address).exit_code == 0
    assert ("model.pth", "bytes=300000-") in shop.asked
    assert "config.json" not in [name for name, _ in shop.asked]  # it is there already
    assert (folder / "model.pth").read_bytes() == FILES["model.pth"]


def test_a_server_that_cannot_continue_is_asked_for_everything(shop: Shop, folder: Path) -> None:
    accepted(folder, shop)
    (folder / "model.pth.part").write_bytes(b"something that is not the beginning")
    shop.continues = False
    assert models(folder, "fetch", "--from", shop.address).exit_code == 0
    assert (folder / "model.pth").read_bytes() == FILES["model.pth"]


def test_a_part_that_is_whole_already_is_taken(shop: Shop, folder: Path) -> None:
    accepted(folder, shop)
    (folder / "model.pth.part").write_bytes(FILES["model.pth"])
    assert models(folder, "fetch", "--from", shop.address).exit_code == 0
    assert (folder / "model.pth").read_bytes() == FILES["model.pth"]


def test_a_file_that_is_not_the_listed_one_is_not_kept(shop: Shop, folder: Path) -> None:
    accepted(folder, shop)
    shop.files["model.pth"] = b"evil"
    assert "model.pth is another file than the one listed" in refused(folder, "fetch", "--from", shop.address)
    assert not list(folder.glob("model.pth*"))


@pytest.mark.parametrize(
    ("sums", "sentence"),
    [
        (None, "SHA256SUMS cannot be had: 404 Not Found; correct the address"),
        (b"<html>", "is no list of SHA-256 sums"),
        (sums_of({"../../etc/cron.d/x": b"x"}), "is no list of SHA-256 sums"),
        (sums_of({"config.json": b"x"}), "does not list a model's files"),
    ],
)
def test_without_a_list_of_sums_nothing_is_fetched(shop: Shop, folder: Path, sums: bytes | None, sentence: str) -> None:
    del shop.files["SHA256SUMS"]
    if sums is not None:
        shop.files["SHA256SUMS"] = sums
    assert sentence in refused(folder, "fetch", "--from", shop.address)
    assert not folder.exists()


def test_the_address_and_the_list_are_the_operators(shop: Shop, folder: Path, tmp_path: Path) -> None:
    assert "nobody has said where XTTS v2 is" in refused(folder, "fetch")
    assert "is no address to fetch from" in refused(folder, "fetch", "--from", "file:///etc")
    assert "cannot be reached (Connection refused)" in refused(folder, "fetch", "--from", "http://127.0.0.1:9/x")
    config = folder.parent / "appliance.toml"
    config.write_text(config.read_text() + f'source = "{shop.address}"\n')
    (tmp_path / "mine").write_bytes(sums_of(FILES | {"model.pth": b"another"}))
    refused(folder, "fetch", "--sums", str(tmp_path / "mine"))
    models(folder, "accept", "--by", "Ana", "--yes")
    assert "another file than the one listed" in refused(folder, "fetch", "--sums", str(tmp_path / "mine"))


def test_the_list_shows_every_model_and_what_it_lacks(shop: Shop, folder: Path) -> None:
    def states() -> dict[str, str]:
        return {row["name"]: row["state"] for row in json.loads(models(folder, "list", "--json").stdout)}

    assert states()["silero-vad"] == "ready"
    assert states()["xtts"] == "missing"
    accepted(folder, shop)
    assert states()["xtts"] == "missing"
    models(folder, "fetch", "--from", shop.address)
    assert states()["xtts"] == "ready"
    (folder / "LICENSE.txt").write_bytes(b"Something else.")
    assert states()["xtts"] == "not accepted"
    assert "xtts" in models(folder, "list").stdout


def test_a_file_that_was_altered_is_found(shop: Shop, folder: Path) -> None:
    accepted(folder, shop)
    models(folder, "fetch", "--from", shop.address)

    def verdict() -> dict[str, object]:
        answer = models(folder, "verify", "--json")
        return {row["name"]: row for row in json.loads(answer.stdout)}["xtts"] | {"exit": answer.exit_code}

    assert verdict()["files"] == len(FILES)
    assert verdict()["problem"] == ""
    (folder / "vocab.json").write_bytes(b"{}")
    assert "vocab.json has been altered" in str(verdict()["problem"])
    assert verdict()["exit"] == 1
    (folder / "SHA256SUMS").unlink()
    assert "no SHA256SUMS" in str(verdict()["problem"])
