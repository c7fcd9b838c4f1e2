"""What `dragoman bench capacity` concludes from what it measures, and how it writes that down."""

import pytest

from appliance.bench.capacity import Load, calls_of, languages_of, most_calls, run
from appliance.bench.capacity_file import with_most_calls, write
from appliance.bench.report import Report, at_least, this_machine
from appliance.config import Config, ConfigError, EnginesConfig, Route, parse
from appliance.engines.protocols import EngineError


@pytest.mark.parametrize(
    ("loads", "calls"),
    [
        ([Load(1, 500, 0.4), Load(2, 500, 0.8), Load(3, 600, 1.2)], 2),  # the voice is too busy
        ([Load(1, 500, 0.04), Load(2, 1000, 0.08), Load(3, 1400, 0.12)], 2),  # words come too late
        ([Load(1, 500, 0.9)], 0),
        ([], 0),
    ],
)
def test_as_many_calls_as_fit(loads: list[Load], calls: int) -> None:
    assert most_calls(loads, step_ms=500) == calls


def test_a_configured_step_that_is_longer_counts() -> None:
    assert most_calls([Load(1, 1500, 0.5)], step_ms=1500) == 1


def test_a_machine_that_is_too_slow_for_one_call_is_allowed_one() -> None:
    assert calls_of(Report(this_machine(), (), (at_least("conversations", 0, 1),))) == 1


@pytest.mark.parametrize(
    ("routes", "languages"),
    [
        ((), ("en", "pt-br")),
        ((Route("1", "en", "de", "PJSIP/b"),), ("de", "en")),
        ((Route("1", "auto", "de", "PJSIP/b"),), ("de", "en", "pt-br")),
    ],
)
def test_the_languages_that_the_routes_need(routes: tuple[Route, ...], languages: tuple[str, ...]) -> None:
    assert languages_of(Config(routes=routes)) == languages


def test_engines_at_work_are_measured() -> None:
    english = EnginesConfig(recognizers={"en": "whisper-tiny-en"}, synthesizers={"en": "piper"})
    report = run(Config(engines=english), trials=(1, 2), trial_s=0.2)
    values = {(each.subject, each.unit): each.value for each in report.measurements}
    assert values["1 at once", "ms"] >= english.step_ms
    assert values["1 at once", "%"] > 0


def test_engines_that_run_elsewhere_cannot_be_measured() -> None:
    elsewhere = EnginesConfig(recognizers={"*": "deepgram-nova"}, synthesizers={"en": "elevenlabs"})
    with pytest.raises(EngineError, match="runs elsewhere"):
        run(Config(engines=elsewhere))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "max_legs = 8\n",
        "[capacity]\n#most_calls = 0\nretry_s = 12\n[ops]\nport = 9000\n",
        "[capacity]\n[ops]\nport = 9000\n",
        '[capacity] # see below\nmost_calls = 9\n\n[[phones]]\nname = "a"\n',
    ],
)
def test_the_line_is_written_and_the_rest_stays(text: str) -> None:
    written = with_most_calls(text, 3)
    before, after = parse(text, "a.toml"), parse(written, "a.toml")
    assert after.capacity.most_calls == 3
    assert (after.capacity.retry_s, after.ops, after.phones) == (before.capacity.retry_s, before.ops, before.phones)
    assert written.count("most_calls") == 1


def test_a_file_that_cannot_be_written_is_said_in_one_sentence(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"cannot write most_calls = 3 into .*; write it there"):
        write(tmp_path / "none.toml", 3)
