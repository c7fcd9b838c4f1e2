"""The whole examination, part by part."""

from collections.abc import Iterator

from appliance.config import Config
from appliance.doctor import asterisk, engines, host, page, place, standbys, voices
from appliance.doctor.findings import Finding


def examine(config: Config) -> Iterator[Finding]:
    """Look at everything; findings come one by one, as they are made."""
    yield from host.examine()
    yield from place.examine(config)
    yield standbys.examine(config)
    yield from asterisk.examine(config.asterisk)
    yield from engines.examine(config)
    yield from voices.examine(config)
    yield page.examine(config.ops)
