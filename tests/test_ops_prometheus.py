"""What Prometheus and Grafana are given: rules that Prometheus's own tool tries, and names that /metrics has."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from appliance.config import Config
from appliance.frames.memory import Memory
from appliance.ops.gpus import Gpu, Gpus
from appliance.ops.metrics import exposition, registry
from appliance.ops.observer import Observer
from appliance.supervision.process_table import rows
from appliance.supervision.vitals import Vitals, trunk_word
from appliance.tls.certificate import Standing, utc_now

IMAGE = Path(__file__).parent.parent / "image"
PROMETHEUS = IMAGE / "prometheus"
FIGURES = {"chain_latency_ms", "asr_to_tts_gap_ms", "active_sessions", "frames_per_sec", "error_rate_pct"}
# Words of PromQL, label names included: whatever else stands in an expression is a metric.
OF_PROMQL = {
    *("sum", "max", "min", "count", "by", "or", "rate", "increase", "histogram_quantile", "vector", "time"),
    *("le", "instance", "stage", "queue", "reason", "process", "direction", "engine", "avg_over_time"),
}


def rules(name: str) -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / name).read_text())["groups"]
    return group["rules"]


def names_in(expression: str) -> set[str]:
    """The metrics in an expression of PromQL."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", expression)
    return set(re.findall(r"[a-z_][a-z0-9_]*", bare)) - OF_PROMQL


class OneGpu(Gpus):
    """A machine with a GPU."""

    def look(self) -> list[Gpu]:
        return [Gpu(0, 141 << 30, 8 << 30, 0.5)]


@pytest.fixture(scope="module")
def served() -> set[str]:
    """Every metric that there is: those of /metrics, those that are recorded, and Prometheus's own."""
    memory = Memory.create(Config(instance=f"ops-{uuid4().hex[:12]}"), rows(Config().supervision.standbys))
    try:
        Vitals(memory.vitals("calls")).set("trunks", trunk_word([True]))
        observer = Observer(memory, Path.cwd(), trunks=["pbx"])
        observer.certificates = {"page": Standing(utc_now(), True)}
        text = exposition(registry(observer, OneGpu())).decode()
    finally:
        memory.unlink()
        memory.close()
    metrics = set(re.findall(r"(?m)^([a-z_]+)[ {]", text))
    return metrics | {rule["record"] for rule in rules("recording.yml")} | {"up"}


def promtool(*words: str) -> str:
    done = subprocess.run(["promtool", *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_is_valid():
    assert "2 rule files found" in promtool("check", "config", "prometheus.yml")


def test_every_alert_fires_and_keeps_silent_as_its_cases_say():
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_every_alert_has_a_case_that_fires_beside_one_that_does_not():
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    tried = {}
    for test in tests:
        series = {re.sub(r"^\w+|le=\"[^\"]*\"", "", each["series"]) for each in test["input_series"]}
        for case in test.get("alert_rule_test", []):
            tried[case["alertname"]] = (len(case["exp_alerts"]), len(series))
    assert tried.keys() == {rule["alert"] for rule in rules("alerts.yml")}
    for alert, (firing, series) in tried.items():
        assert 0 < firing < series, alert


def test_alerts_say_how_bad_it_is_and_what_to_do():
    for rule in rules("alerts.yml"):
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"].keys() == {"summary", "action"}


def test_the_five_figures_are_recorded_under_their_names():
    assert {rule["record"] for rule in rules("recording.yml")} == FIGURES


@pytest.mark.parametrize("name", ["recording.yml", "alerts.yml"])
def test_rules_ask_for_metrics_that_there_are(served, name):
    for rule in rules(name):
        asked = names_in(rule["expr"])
        assert asked, rule
        assert asked <= served, rule["expr"]


def test_the_dashboard_asks_for_metrics_that_there_are(served):
    board = json.loads((IMAGE / "grafana/dashboards/dragoman.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            asked = names_in(target["expr"])
            assert asked, panel["title"]
            assert asked <= served, panel["title"]
    (box,) = board["templating"]["list"]
    assert re.search(r"label_values\((\w+),", box["query"]["query"]).group(1) in served


def test_the_dashboards_expressions_are_promql(tmp_path):
    board = json.loads((IMAGE / "grafana/dashboards/dragoman.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    group = {
        "name": "dashboard",
        "rules": [{"record": f"panel_{i}", "expr": each} for i, each in enumerate(expressions)],
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [group]}))
    assert f"{len(expressions)} rules found" in promtool("check", "rules", str(tmp_path / "rules.yml"))


def test_every_metric_is_on_the_dashboard_or_in_an_alert(served):
    board = (IMAGE / "grafana/dashboards/dragoman.json").read_text()
    shown = board + "".join(rule["expr"] for name in ("recording.yml", "alerts.yml") for rule in rules(name))
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in served}
    unused = {name for name in families if name not in shown}
    assert unused - FIGURES == {"dragoman_build_info", "dragoman_packets_total"}


def test_panels_do_not_overlap():
    board = json.loads((IMAGE / "grafana/dashboards/dragoman.json").read_text())
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in board["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_the_dashboard_finds_its_source():
    board = json.loads((IMAGE / "grafana/dashboards/dragoman.json").read_text())
    (source,) = yaml.safe_load((IMAGE / "grafana/provisioning/datasources/dragoman.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}


def test_it_scrapes_where_ops_is():
    (job,) = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    ops = Config().ops
    assert job["static_configs"][0]["targets"] == [f"{ops.host}:{ops.port}"]
