"""`dragoman models convert` from a published folder, and what `verify` says of the result."""

import hashlib
import json
import shutil
from pathlib import Path

from typer.testing import CliRunner

from appliance.cli import app
from appliance.xtts.checkpoint import load
from appliance.xtts.folder import CONVERTED, SUMS


def test_a_published_model_becomes_one_without_pickles_that_is_proven(tiny: Path, tmp_path: Path) -> None:
    published = tmp_path / "published"
    shutil.copytree(tiny, published, copy_function=lambda source, target: Path(target).symlink_to(source))
    (published / "LICENSE.txt").write_text("You may do this.\n")
    target = tmp_path / "xtts"
    config = tmp_path / "appliance.toml"
    config.write_text(f'[cloud.xtts]\nfolder = "{target}"\nacceptance_file = "{tmp_path / "accepted.json"}"\n')

    done = CliRunner().invoke(app, ["models", "convert", str(published), "--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"folder": str(target)}
    listed = dict(line.split("  ")[::-1] for line in (target / SUMS).read_text().splitlines())
    assert set(listed) == {"config.json", "vocab.json", "LICENSE.txt", *CONVERTED}
    assert all(hashlib.sha256((target / name).read_bytes()).hexdigest() == digest for name, digest in listed.items())
    assert load(target).settings == load(published).settings

    proven = CliRunner().invoke(app, ["models", "verify", "--config", str(config), "--json"])
    xtts = next(row for row in json.loads(proven.stdout) if row["name"] == "xtts")
    assert (xtts["files"], xtts["problem"]) == (len(listed), "")
