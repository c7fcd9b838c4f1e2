"""mt: what was said, in the other languages of the room."""

from appliance.engines.registry import load_translator
from appliance.stages.translating import Interpretation
from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Translate each segment for every lane of its leg."""
    translator = load_translator(ctx.config.engines.translator, ctx.config)
    translator.warm()
    interpretation = Interpretation(ctx, translator)
    segments, translations = ctx.text_reader("segments"), ctx.text_writer("translations")
    ctx.ready()
    for _ in ctx.turns():
        while (segment := segments.read()) is not None:
            for translation in interpretation.translations(segment):
                translations.write(translation)
                ctx.journal(translation)
                ctx.vitals.add("translations")
            segments.commit()  # only now: after a restart, mt translates what it had not written
