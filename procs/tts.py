"""tts: translations, spoken."""

from appliance.engines.registry import load_synthesizers
from appliance.stages.speaking import Speaker
from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Speak each translation into the downlink of its lane."""
    synthesizers = load_synthesizers(ctx.config)
    translations = ctx.text_reader("translations")
    speaker = Speaker(ctx, synthesizers, translations.position)
    ctx.ready()
    for _ in ctx.turns():
        while not ctx.stopping:
            while (translation := translations.read()) is not None:
                speaker.take(translation, translations.position)
            translations.commit(speaker.done_until)  # after a restart, tts says again what it had not finished
            if speaker.idle:
                break
            spoken = speaker.speak_clause()
            if spoken is not None:
                ctx.journal(spoken)
