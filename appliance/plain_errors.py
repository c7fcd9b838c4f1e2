"""Which errors speak for themselves: their message is one sentence for a technician, so no traceback is shown."""

# By name, so that nothing has to be imported to ask.
PLAIN_ERRORS = frozenset(
    {
        "appliance.config.ConfigError",
        "appliance.demo.asterisk.AsteriskError",
        "appliance.demo.box.BoxError",
        "appliance.demo.say.SayError",
        "appliance.demo.softphone.SoftphoneError",
        "appliance.drill.live.DrillRefused",
        "appliance.engines.protocols.EngineError",
        "appliance.frames.memory.MemoryRefused",
        "appliance.ops.errors.OpsError",
        "appliance.supervision.sockets.SocketError",
        "appliance.tls.certificate.TlsError",
        "appliance.voices.errors.VoiceError",
    }
)


def is_plain(error: BaseException) -> bool:
    """Whether `error` is one of those, or of a kind of them."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in PLAIN_ERRORS for kind in type(error).__mro__)
