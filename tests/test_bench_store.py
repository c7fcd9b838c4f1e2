"""The benchmark of the store of voices, small: that it measures what it says, not what this machine makes of it."""

from appliance.bench import store


def test_every_kind_of_lookup_is_measured_and_judged(tmp_path):
    said: list[str] = []
    report = store.run(voices=30, lookups=20, cached_lookups=100, folder=tmp_path, progress=said.append)
    assert len(said) == 5
    values = {(one.subject, one.name): one.value for one in report.measurements}
    for subject in ("store one", "from the disk", "from the kernel's memory", "from the cache"):
        assert 0 < values[subject, "p50"] <= values[subject, "p99"]
    assert values["from the cache", "p50"] < values["from the kernel's memory", "p50"]
    assert [(target.name, target.bound, target.unit) for target in report.targets] == [
        ("lookup from the disk, p99", 10, "ms"),
        ("lookup from the cache, p50", 50, "µs"),
    ]
    assert list(tmp_path.iterdir()) == [], "nothing stays"
