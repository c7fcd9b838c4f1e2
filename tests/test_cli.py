"""The command `dragoman`, as a technician and as a script meet it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from box import Box

from appliance import cli
from appliance.engines.protocols import EngineError

COMMANDS = [
    "up",
    "status",
    "events",
    "demo",
    "doctor",
    "chaos",
    "config",
    "config check",
    "config render",
    "bench",
    "bench ring",
    "bench rtp",
    "bench lag",
    "bench soak",
    "languages",
    "bench store",
    "bench capacity",
    "voices",
    "voices list",
    "voices show",
    "voices rename",
    "voices withdraw",
    "voices delete",
    "voices export",
    "voices import",
    "voices check",
    "voices preview",
    "voices enrol",
    "voices verify",
    "voices invite",
    "voices invitations",
    "voices uninvite",
    "voices prompts",
]
ROUTE = """
[[phones]]
name = "bruno"
password = "Xy7"

[[routes]]
number = "1001"
caller_language = "en"
callee_language = "pt-BR"
callee = "PJSIP/bruno"
"""
AUTO_ROUTE = """
[[routes]]
number = "2001"
caller_language = "auto"
callee_language = "en"
callee = "PJSIP/bruno"
"""
SHIPPED = str(Path(__file__).parent.parent / "appliance.toml")


def dragoman(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "appliance.cli", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TERM": "dumb", **environment},
    )


@pytest.fixture
def box(tmp_path):
    made = Box(tmp_path, rtp="steady", calls="steady")
    yield made
    made.end()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    answer = dragoman(*command.split(), "--help")
    assert answer.returncode == 0
    assert command.split()[-1] in answer.stdout
    assert answer.stderr == ""


def test_without_a_command_it_lists_them():
    answer = dragoman()
    assert all(
        f" {command} " in answer.stdout + answer.stderr for command in ("up", "status", "doctor", "config", "bench")
    )


def test_help_is_quick_because_nothing_heavy_is_imported():
    loaded = (
        "import sys, appliance.cli; print([m for m in ('numpy', 'aiohttp', 'rich', 'onnxruntime') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_version():
    assert dragoman("--version").stdout.startswith("dragoman ")


@pytest.mark.parametrize("words", [["nonsense"], ["status", "--nonsense"], ["config", "render"]])
def test_wrong_use_ends_with_status_2(words):
    answer = dragoman(*words)
    assert answer.returncode == 2
    assert "Usage" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_bad_configuration_is_listed_line_by_line(tmp_path):
    path = tmp_path / "appliance.toml"
    path.write_text('max_legs = "many"\n[media]\nprot = 1\n')
    for words in (["up"], ["status"], ["doctor"], ["config", "check"], ["config", "render", str(tmp_path / "out")]):
        answer = dragoman(*words, "--config", str(path))
        assert answer.returncode == 2, words
        assert answer.stderr.splitlines() == [
            'appliance.toml: max_legs: "many" is not a whole number; write digits only, without quotes',
            "appliance.toml: media.prot: there is no such setting; did you mean port?",
        ]


def test_a_log_that_cannot_be_written_is_said_in_one_sentence(box):
    answer = box.run("up", "--log", "/nonexistent/log")
    assert answer.returncode == 2
    assert answer.stderr == "cannot write the log /nonexistent/log: No such file or directory\n"


def test_config_check_explains_a_good_configuration():
    answer = dragoman("config", "check", "--config", SHIPPED, DRAGOMAN_ARI_PASSWORD="secret")
    assert answer.returncode == 0, answer.stderr
    assert "1001: whoever dials it speaks en and reaches PJSIP/bruno, who speaks pt-br" in answer.stdout
    assert "UDP 127.0.0.1:40000" in answer.stdout
    assert "the original at -18 dB" in answer.stdout


def test_config_check_says_whose_voice_is_heard(tmp_path):
    path = tmp_path / "appliance.toml"
    path.write_text(ROUTE + 'caller_voice = "Ana Souza"\nlearn_voice = "callee"\n')
    answer = dragoman("config", "check", "--config", str(path), DRAGOMAN_ARI_PASSWORD="secret").stdout
    assert "a voice on file, chosen by phone number, else by likeness (at least 0.8, and 0.05 more" in answer
    assert '1001: the caller always speaks with the voice "Ana Souza"' in answer
    assert "1001: the voice of the callee is learned where it is not on file, and forgotten after the call" in answer


def test_config_check_for_programs():
    good = json.loads(dragoman("config", "check", "--json", "--config", SHIPPED, DRAGOMAN_ARI_PASSWORD="secret").stdout)
    assert good["problems"] == []
    assert good["memory_bytes"] > 1_000_000
    answer = dragoman("config", "check", "--json", "--config", SHIPPED)
    assert answer.returncode == 2
    assert "asterisk.ari_password: is empty" in json.loads(answer.stdout)["problems"][0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[engines]\ntranslator = "babelfish"', 'engines.translator: there is no engine "babelfish"'),
        ('[engines.synthesizers]\nen = "piper"', 'engines.synthesizers: nobody does "pt-br", which a route needs'),
        (
            '[engines.recognizers]\n"*" = "whisper-tiny-en"' + AUTO_ROUTE,
            'engines.recognizers: "whisper-tiny-en" and the voices have en in common, which leaves nothing to find out',
        ),
        (
            '[engines.recognizers]\nen = "whisper-base"\npt-br = "whisper-base"' + AUTO_ROUTE,
            'engines.recognizers: nobody finds out what is spoken on a route with "auto"',
        ),
        (
            '[engines.synthesizers]\nen = "piper"\npt-br = "kokoro"\nde = "elevenlabs"' + AUTO_ROUTE,
            'routes[0]: "bergamot" does not translate between "de", which may be found out, and "en"',
        ),
        (
            AUTO_ROUTE + 'fallback_language = "fr"',
            'routes[0].fallback_language: "fr" is none of the languages that can be found out; write one of en, pt-br',
        ),
        ("[asterisk]\nrtp_last_port = 10007", "asterisk.rtp_last_port: 8 ports are too few for 8 legs and 16 lanes"),
    ],
)
def test_config_check_finds_what_does_not_fit_together(tmp_path, text, problem):
    path = tmp_path / "appliance.toml"
    path.write_text(text + ROUTE)
    answer = dragoman("config", "check", "--config", str(path), DRAGOMAN_ARI_PASSWORD="secret")
    assert answer.returncode == 2
    assert answer.stderr.startswith(problem)


def test_asterisks_configuration_is_rendered(tmp_path):
    target = tmp_path / "etc"
    answer = dragoman("config", "render", str(target), "--config", SHIPPED, DRAGOMAN_ARI_PASSWORD="secret")
    assert answer.returncode == 0, answer.stderr
    assert "secret" in (target / "ari.conf").read_text()


def test_status_without_an_appliance_says_how_to_start_one(box):
    answer = box.run("status", "--once")
    assert answer.returncode == 1
    assert answer.stderr == f'dragoman "{box.instance}" is not running here; start it with: dragoman up\n'


def test_status_of_a_running_appliance(box):
    box.start().wait_until_up()
    seen = json.loads(box.run("status", "--json").stdout)
    processes = {process["name"]: process for process in seen["processes"]}
    assert processes["rtp"]["state"] == processes["watchdog"]["state"] == "up"
    assert processes["rtp"]["pid"] == box.pids()["rtp"]
    assert processes["rtp"]["heartbeat_age_ms"] >= 0
    assert processes["asr"]["state"] == "stopped"  # this toy appliance has none
    assert [ring["name"] for ring in seen["rings"]] == ["journal", "journal", "health"]
    table = box.run("status", "--once")
    assert table.returncode == 1, "asr, mt and tts are not up"
    assert "calls" in table.stdout
    assert "no calls" in table.stdout


def test_doctor_names_each_fault_and_its_fix(box):
    answer = box.run("doctor", "--json")
    report = json.loads(answer.stdout)
    assert answer.returncode == 1
    assert report["ok"] is False
    faults = {finding["check"]: finding for finding in report["findings"] if finding["level"] == "fault"}
    assert "does not answer at http://127.0.0.1:8088" in faults["Asterisk"]["found"]
    assert all(finding["fix"] for finding in report["findings"] if finding["level"] != "ok")


def test_a_bug_is_one_sentence_and_a_file_for_the_report(monkeypatch, capsys):
    def broken() -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    (sentence,) = capsys.readouterr().err.splitlines()
    trace = Path(sentence.rpartition(" ")[2])
    assert ended.value.code == cli.EXIT_BUG
    assert sentence.startswith("something unforeseen went wrong (KeyError: 'a bug'); please report")
    assert "Traceback" in trace.read_text()
    trace.unlink()


def test_an_error_that_speaks_for_itself_is_shown_as_it_is(monkeypatch, capsys):
    def refused() -> None:
        raise EngineError("the model is missing; run make setup")

    monkeypatch.setattr(cli, "app", refused)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert capsys.readouterr().err == "the model is missing; run make setup\n"
    assert ended.value.code == cli.EXIT_FAILED


def test_languages_for_programs_and_for_people():
    rows = json.loads(dragoman("languages", "--from", "en", "--to", "pt-BR", "--json").stdout)
    embedded = {"recognizer": "whisper-tiny-en", "translator": "bergamot", "synthesizer": "kokoro"}
    assert embedded | {"directions": {"en": ["pt-br"]}} in rows
    assert "pt-BR" in dragoman("languages", "--from", "en", "--to", "pt-BR").stdout
    none = dragoman("languages", "--to", "tlh")
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr == "no combination of engines interprets anything into tlh\n"
