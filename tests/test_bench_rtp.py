"""The benchmark of the rtp loop, small: that it carries what it claims to, not what this machine makes of it."""

from appliance.bench import rtp


def test_both_loops_carry_every_leg_and_are_reported():
    said: list[str] = []
    report = rtp.run(legs=4, seconds=0.4, repeats=1, alone_seconds=0.4, progress=said.append)
    assert len(said) == 5
    values = {(one.subject, one.name): one.value for one in report.measurements}
    for loop in ("dragoman", "uvloop", "dragoman, originals", "dragoman, all behind"):
        assert values[loop, "frames per leg and tick"] > 0.5
        assert values[loop, "legs per core"] > 0
    assert [target.name for target in report.targets] == [
        "legs per core, against uvloop",
        "tick late p99, machine otherwise idle",
    ]
    assert report.machine.cores > 0
