"""tts: translations, spoken."""

from appliance.engines.registry import load_synthesizers
from appliance.stages.speaking import Speaker
from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Speak each translation into the downlink of its lane."""
    speaker = Speaker(ctx, load_synthesizers(ctx.config))
    translations = ctx.text_reader("translations")
    ctx.ready()
    for _ in ctx.turns():
        while (translation := translations.read()) is not None:
            spoken = speaker.speak(translation)
            if spoken is not None:
                ctx.journal(spoken)
            translations.commit()  # only now: after a restart, tts says again what it had not finished
