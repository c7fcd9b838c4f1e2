"""What an HTTP status of a cloud engine means: wait, or do not ask again."""

from appliance.engines.protocols import EngineError, EngineRefused, EngineUnavailable

TOO_MANY_REQUESTS = 429
REQUEST_TIMEOUT = 408
QUOTA_STATUSES = (402, 456)  # Payment Required; DeepL's own "quota exceeded"
KEY_STATUSES = (401, 403)


def error_for_status(engine: str, status: int, key_variable: str) -> EngineError:
    """What to raise when `engine` answers with an HTTP `status` that is no success.

    The message never repeats what was sent or answered, because headers and bodies hold the key and the callers' words.
    """
    if status in KEY_STATUSES:
        return EngineRefused(f"{engine} does not accept the API key (HTTP {status}); check {key_variable}")
    if status in QUOTA_STATUSES:
        return EngineRefused(f"{engine}: the account's quota is used up (HTTP {status}); raise it with {engine}")
    if status == TOO_MANY_REQUESTS:
        return EngineUnavailable(f"{engine} is asked too often (HTTP 429); lower max_legs or raise the account's limit")
    if status == REQUEST_TIMEOUT or status >= 500:
        return EngineUnavailable(f"{engine} is out of order at the moment (HTTP {status})")
    return EngineRefused(
        f"{engine} does not understand the request (HTTP {status}); check its settings in appliance.toml"
    )
