"""mt: what is being said, in the other languages of the room."""

from appliance.engines.registry import load_translator
from appliance.frames.messages import Translation
from appliance.glossaries import read_glossaries
from appliance.stages.asking import Questions
from appliance.stages.conflation import Waiting
from appliance.stages.translating import Interpretation
from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Translate each segment for every lane of its leg, while it grows."""
    translator = load_translator(ctx.config.engines.translator, ctx.config)
    translator.warm()
    glossaries, problems = read_glossaries(ctx.config)
    for problem in problems:
        ctx.log.error(problem)
    segments, translations = ctx.text_reader("segments"), ctx.text_writer("translations")
    waiting = Waiting(segments)
    interpretation = Interpretation(ctx, Questions(ctx, translator, glossaries), translations.written(Translation))
    ctx.ready()
    for _ in ctx.turns():
        while not ctx.stopping and (segment := waiting.take()):
            for translation in interpretation.translations(segment):
                translations.write(translation)
                ctx.journal(translation)
                ctx.vitals.add("translations")
            waiting.commit()  # only now: after a restart, mt translates what it had not written
