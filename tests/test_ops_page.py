"""The operators' page: what it is made of, and what a real browser shows of it."""

import os
import re
import signal
from collections.abc import Iterator
from importlib import resources

import pytest
from browser import PROGRAM, browsing
from ops_box import OpsBox
from told import first_audio

from appliance import clock
from appliance.frames.memory import Memory
from appliance.frames.messages import HealthEvent
from appliance.frames.roster import Address, Booth, Lane, Leg, Roster
from appliance.frames.text import TextWriter

PAGE = resources.files("appliance.ops").joinpath("page.html").read_text(encoding="utf-8")
ANYWHERE = Address("127.0.0.1", 9)


@pytest.fixture
def box(tmp_path) -> Iterator[OpsBox]:
    made = OpsBox(tmp_path, rtp="steady", asr="crashing_twice", calls="steady")
    yield made
    made.end()


def interpret(memory: Memory) -> None:
    """A conversation whose room and events try to be markup."""
    memory.write_roster(
        Roster(
            legs=(Leg(0, 1, "<u>r1</u>", "en", ANYWHERE), Leg(1, 1, "<u>r1</u>", "pt-br", None)),
            lanes=(Lane(0, 1, 0, "pt-br", 0),),
            booths=(Booth(0, "<u>r1</u>", "pt-br", ANYWHERE),),
        )
    )
    memory.writer("downlink", 0).push_many(bytes(640 * 40))
    journal = TextWriter(memory.writer("journal", "calls"))
    journal.write(HealthEvent("calls", "REFUSED", "no room for <script>alert(1)</script>", clock.now_ns()))
    TextWriter(memory.writer("journal", "rtp")).write(first_audio(0, 1, 1234))


@pytest.mark.skipif(PROGRAM is None, reason="needs Debian's chromium, which is not installed")
def test_a_browser_shows_what_goes_on(box, tmp_path):
    box.start().wait_until_up()
    memory = Memory.attach(box.instance)
    with browsing(f"http://127.0.0.1:{box.ops_port}/", tmp_path / "browser") as browser:
        assert "nobody is talking" in browser.until(lambda text: "ops\tup" in text)
        interpret(memory)
        seen = browser.until(lambda text: "1,234 ms" in text and "REFUSED" in text and "lane 0" in text)
        os.kill(box.pids()["rtp"], signal.SIGKILL)
        browser.until(lambda text: "exited (SIGKILL)\trestart in 0 ms" in text)
        assert browser.evaluate("document.scripts.length") == 1
        assert box.stop() == 0
        browser.until(lambda text: "no answer; what is below is old" in text)
    memory.close()
    assert box.instance in seen
    assert "mt: stopped · tts: stopped · asterisk: does not answer" in seen
    assert "<u>r1</u>\tleg 0\ten\theard" in seen, "names are shown as they are, not as markup"
    assert "<u>r1</u>\tleg 1\tpt-br\tnot heard yet" in seen
    assert re.search(r"lane 0\ten → pt-br\tspoken\t[^\t]+\t800 ms\t0", seen)
    assert re.search(r"asr\tup\t\d+ s\t\d+ ms\t2\t\d+", seen)
    assert "calls\tREFUSED\tno room for <script>alert(1)</script>" in seen
    assert "asr\texited (status 1)\trestart in 0 ms" in seen


def test_the_page_needs_nothing_from_elsewhere(box):
    box.start().wait_until_up()
    status, page = box.ask("/")
    assert (status, page) == (200, PAGE)
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", page)
    assert "innerHTML" not in page, "what comes over the wire is text"


def test_the_page_forbids_what_it_does_not_need(box):
    box.start().wait_until_up()
    policy = box.header("/", "content-security-policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
