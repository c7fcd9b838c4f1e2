"""Asterisk, as it answers over ARI: reachable, the right version, all its modules running."""

import re
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator

import msgspec

from appliance.config import AsteriskConfig
from appliance.doctor.findings import Finding, fault, ok
from appliance.telephony.asterisk_config import TEMPLATES

TIMEOUT_S = 3
MAJOR_VERSION = 22
UNAUTHORIZED = 401


class _System(msgspec.Struct):
    version: str


class _Info(msgspec.Struct):
    """The part of GET /ari/asterisk/info that matters here."""

    system: _System


class _Module(msgspec.Struct):
    """An element of GET /ari/asterisk/modules."""

    name: str
    status: str


def examine(config: AsteriskConfig) -> Iterator[Finding]:
    """Ask Asterisk about itself."""
    try:
        version = msgspec.json.decode(_get(config, "asterisk/info"), type=_Info).system.version
        modules = msgspec.json.decode(_get(config, "asterisk/modules"), type=list[_Module])
    except urllib.error.HTTPError as error:
        yield _refused(config, error.code)
    except (OSError, msgspec.MsgspecError) as error:
        reason = getattr(error, "reason", error)
        fix = "start Asterisk with the configuration of `dragoman config render`, or correct asterisk.ari_url"
        yield fault("Asterisk", f"does not answer at {config.ari_url} ({reason})", fix)
    else:
        yield _version(version)
        yield _modules({module.name for module in modules if module.status == "Running"})


def _get(config: AsteriskConfig, path: str) -> bytes:
    login = b64encode(f"{config.ari_user}:{config.ari_password}".encode()).decode()
    request = urllib.request.Request(f"{config.ari_url}/ari/{path}", headers={"Authorization": f"Basic {login}"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        content: bytes = answer.read()
        return content


def _refused(config: AsteriskConfig, code: int) -> Finding:
    if code == UNAUTHORIZED:
        fix = "use the same asterisk.ari_user and ari_password here and there: render its configuration again"
        return fault("Asterisk", f'refuses the user "{config.ari_user}" or the password', fix)
    return fault("Asterisk", f"answers {code} at {config.ari_url}/ari", "enable ARI: see `dragoman config render`")


def _version(version: str) -> Finding:
    if version.partition(".")[0] != str(MAJOR_VERSION):
        return fault("Asterisk", f"is version {version}", f"install version {MAJOR_VERSION}")
    return ok("Asterisk", f"version {version}")


def _modules(running: set[str]) -> Finding:
    wanted = re.findall(r"(?m)^\s*(?:load|require)\s*=>?\s*(\S+\.so)", (TEMPLATES / "modules.conf").read_text())
    if missing := [name for name in wanted if name not in running]:
        fix = "install them, and start Asterisk with the modules.conf of `dragoman config render`"
        return fault("Asterisk's modules", f"not running: {', '.join(missing)}", fix)
    return ok("Asterisk's modules", f"all {len(wanted)} are running")
