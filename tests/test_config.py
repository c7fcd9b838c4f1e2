"""appliance.toml: what is accepted, what is refused, and how that is said."""

import re
from pathlib import Path

import msgspec
import pytest

from appliance import config
from appliance.config import Config, ConfigError

SHIPPED = Path(__file__).parent.parent / "appliance.toml"
ROUTE = """
[[phones]]
name = "bruno"

[[routes]]
number = "1001"
caller_language = "en"
callee_language = "pt-BR"
callee = "PJSIP/bruno"
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        config.parse(text, "appliance.toml")
    return str(refused.value).splitlines()


def test_the_shipped_file_is_good():
    loaded = config.load(SHIPPED)
    assert {route.number for route in loaded.routes} == {"1001", "1002"}
    assert loaded.routes[0].callee_language == "pt-br"


def test_the_shipped_file_shows_every_setting_and_its_default():
    """Every commented setting, uncommented, is the default; and none is missing."""
    text = re.sub(r"(?m)^#(?=[a-z_]+ = )", "", SHIPPED.read_text())
    shown = config.parse(text.split("# SIP phones that")[0], "appliance.toml")
    assert shown == Config()
    for struct in (
        Config,
        config.AsteriskConfig,
        config.MediaConfig,
        config.EnginesConfig,
        config.CapacityConfig,
        config.EmergencyConfig,
        config.OpsConfig,
        config.VoicesConfig,
        config.Route,
        config.Trunk,
    ):
        for field in msgspec.structs.fields(struct):
            assert re.search(rf"(?m)^#?\[*{field.name}\b", SHIPPED.read_text()), f"{field.name} is not in the file"


def test_an_empty_file_is_all_defaults():
    assert config.parse("", "appliance.toml") == Config()


def test_language_tags_may_be_written_in_any_case():
    parsed = config.parse('[engines.synthesizers]\n"PT-br" = "kokoro"\n' + ROUTE, "appliance.toml")
    assert parsed.engines.synthesizers == {"pt-br": "kokoro"}
    assert parsed.routes[0].callee_language == "pt-br"


@pytest.mark.parametrize(("written", "level_db"), [("-20", -20.0), ("0", 0.0), ('"off"', "off")])
def test_the_original_has_a_level_or_is_off(written, level_db):
    assert config.parse(f"[media]\nunder_talk_db = {written}", "appliance.toml").media.under_talk_db == level_db


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max_legs =", "this is not valid TOML"),
        ('max_legs = "8"', 'max_legs: "8" is not a whole number; write digits only, without quotes'),
        ("max_legs = true", "max_legs: true is not a whole number"),
        ("max_legs = 1", "max_legs: 1 is out of range; write a number from 2 to 512"),
        ("max_legs = 20", "max_lanes: 16 is too few for 20 legs; write at least 20"),
        ("instance = 'a/b'", 'instance: "a/b" cannot be a name'),
        ("cache_dir = 3", "cache_dir: 3 is not a path"),
        ("[media]\nprot = 40000", "media.prot: there is no such setting; did you mean port?"),
        ("[voices]\nleast_likeness = 1.5", "voices.least_likeness: 1.5 is out of range; write a number from 0 to 1"),
        ("[voices]\nother_below = 0.9", "voices.other_below: must be less than least_likeness"),
        ('[voices]\ncountry_code = "+55"', 'voices.country_code: "+55" is none; write its digits alone, like "55"'),
        ('[voices]\non_mismatch = "hang up"', 'voices.on_mismatch: "hang up" is not known here; write one of'),
        ("[engines]\nstep_ms = 50", "engines.step_ms: 50 is out of range; write a number from 200 to 5000"),
        (
            ROUTE.replace('"en"', '"auto"').replace('"pt-BR"', '"auto"'),
            'routes[0].callee_language: only one of the two can be "auto"',
        ),
        (
            ROUTE.replace('"en"', '"auto"') + 'fallback_language = "pt_BR"',
            'routes[0].fallback_language: "pt_BR" is not a language tag; write "pt-BR"',
        ),
        (ROUTE + 'fallback_language = "en"', 'routes[0].fallback_language: no side of this route is "auto"'),
        (ROUTE + "fallback_s = 1", "routes[0].fallback_s: 1 is out of range; write a number from 2 to 600"),
        (
            ROUTE + 'when_full = "queue"',
            'routes[0].when_full: "queue" is not known here; write one of "refuse", "untranslated"',
        ),
        ("[capacity]\nmost_calls = -1", "capacity.most_calls: -1 is out of range; write a number from 0 to 512"),
        ("[capacity]\nretry_s = 0", "capacity.retry_s: 0 is out of range"),
        ("[emergency]\nnumbers = ['help']", 'emergency.numbers: "help" cannot be dialled; use digits'),
        ("[emergency]\nnumbers = ['1001']" + ROUTE, 'routes[0].number: "1001" is an emergency number'),
        ("[emergency]\ntrunk = 'pbx'", 'emergency.trunk: there is no trunk called "pbx"; add it under [[trunks]]'),
        ("[media]\nport = 80", "media.port: 80 is out of range"),
        ("[media]\nport = 12000", "media.port: 12000 is one of Asterisk's own"),
        (
            "[media]\nunder_talk_db = 6",
            'media.under_talk_db: 6 is out of range; write a number from -60 to 0, or "off"',
        ),
        ("[media]\nunder_talk_db = -60.5", "media.under_talk_db: -60.5 is out of range"),
        ("[media]\nunder_talk_db = 'of'", 'media.under_talk_db: "of" is not a level; write a number without quotes'),
        ("[ops]\nport = 0", "ops.port: 0 is out of range; write a number from 1 to 65535"),
        ("[ops]\nhost = ''", 'ops.host: is empty; write "127.0.0.1"'),
        ("[ops]\nnames = ['a b']", 'ops.names: "a b" is neither the name of a host nor an address'),
        ("[ops]\nkey_file = '/k.pem'", "ops.certificate_file: is missing beside key_file; write both, or none"),
        ("[ops]\ncertificate_file = '/c.pem'", "ops.key_file: is missing beside certificate_file; write both, or none"),
        ("media = 5", "media: 5 is not a table; begin it with [media]"),
        ("phones = 5", "phones: must be a list of tables; begin each with [[phones]]"),
        ("[[phones]]\npassword = 'x'", "phones[0].name: is missing, and has no default"),
        ("[[phones]]\nname = 'a'\ncodecs = 'g722'", 'phones[0].codecs: "g722" is not a list of texts'),
        ("[[phones]]\nname = 'a'\ncodecs = ['g7222']", 'phones: codec "g7222" is not known'),
        ("[[phones]]\nname = 'a b'", 'phones: "a b" cannot be a name'),
        ("[[trunks]]\nname = 'a'\nhost = 'x'\nregisters = true", 'trunks: "a" registers without a username'),
        ("[[phones]]\nname = 'a'\n[[trunks]]\nname = 'a'\nhost = 'x'", '"a" is there more than once'),
        ("[asterisk]\nari_url = 'localhost'", 'asterisk.ari_url: "localhost" is not a web address'),
        ("[asterisk]\nrtp_last_port = 9000", "asterisk.rtp_last_port: must be greater than rtp_first_port"),
        ("[engines]\nrecognizers = 'x'", 'engines.recognizers: "x" is not a table of texts or lists of texts'),
        (
            "[engines]\ntranslator = 5",
            'engines.translator: 5 is not a text or a list of texts; write for example "deepl"',
        ),
        ("[engines]\ntranslator = []", "engines.translator: names no engine; write at least one"),
        ("[engines.synthesizers]\nen = ['a', 'a']", 'engines.synthesizers.en: "a" is there more than once'),
        ("[engines.recognizers]\nenglish = 'x'", 'engines.recognizers: "english" is not a language tag'),
        (ROUTE.replace("pt-BR", "pt_BR"), 'routes[0].callee_language: "pt_BR" is not a language tag; write "pt-BR"'),
        (ROUTE.replace("1001", "1001x"), 'routes[0].number: "1001x" cannot be dialled'),
        (ROUTE.replace("PJSIP/bruno", "bruno"), 'routes[0].callee: "bruno" cannot be called; write "PJSIP/PHONE"'),
        (ROUTE.replace("PJSIP/bruno", "PJSIP/carla"), 'routes[0].callee: there is no phone called "carla"'),
        (ROUTE.replace("PJSIP/bruno", "PJSIP/1@pbx"), 'routes[0].callee: there is no trunk called "pbx"'),
        (ROUTE + "ring_s = 1", "routes[0].ring_s: 1 is out of range"),
        (ROUTE + ROUTE.split("\n\n")[1], 'routes: number "1001" is there more than once'),
    ],
)
def test_a_mistake_is_named_with_its_place(text, sentence):
    (line,) = problems(text)
    assert line.startswith("appliance.toml: ")
    assert sentence in line


def test_an_engine_may_have_others_behind_it():
    text = '[engines]\ntranslator = ["deepl", "bergamot"]\nrecognizers = { en = ["a", "b"], "*" = "b" }'
    engines = config.parse(text, "appliance.toml").engines
    assert (engines.named("asr"), engines.named("mt")) == (("a", "b"), ("deepl", "bergamot"))
    assert config.chain(engines.recognizers["*"]) == ("b",)


def test_all_mistakes_are_reported_at_once():
    lines = problems('max_legs = "x"\nmax_lane = 3\n[media]\nport = "x"\n[[routes]]\nnumber = 5\n')
    places = [line.split(": ")[1] for line in lines]
    assert places[:4] == ["max_legs", "max_lane", "media.port", "routes[0].number"]
    assert len(lines) == 7  # and the three settings that a route needs


def test_a_missing_file_is_said_plainly(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*none\.toml: No such file"):
        config.load(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_said_plainly(tmp_path):
    (tmp_path / "appliance.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(tmp_path / "appliance.toml")


def test_the_ari_password_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DRAGOMAN_ARI_PASSWORD", "secret")
    path = tmp_path / "appliance.toml"
    path.write_text("")
    assert config.load(path).asterisk.ari_password == "secret"
    path.write_text('[asterisk]\nari_password = "in the file"')
    assert config.load(path).asterisk.ari_password == "in the file"


def test_the_environment_names_the_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("DRAGOMAN_CONFIG", str(tmp_path / "mine.toml"))
    assert config.default_path() == tmp_path / "mine.toml"
    monkeypatch.delenv("DRAGOMAN_CONFIG")
    monkeypatch.chdir(tmp_path)
    assert config.default_path().name == "appliance.toml"
