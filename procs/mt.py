"""mt: what is being said, in the other languages of the room."""

from appliance import clock
from appliance.engines.registry import load_translators
from appliance.frames.messages import Translation
from appliance.glossaries import read_glossaries
from appliance.stages.asking import NotNow, Questions
from appliance.stages.conflation import Waiting
from appliance.stages.engine_chain import EngineChain
from appliance.stages.translating import Interpretation
from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Translate each segment for every lane of its leg, while it grows."""
    translators = load_translators(ctx.config)
    glossaries, problems = read_glossaries(ctx.config)
    ctx.stand_by()
    chain = EngineChain(ctx, "mt", translators)
    for problem in problems:
        ctx.log.error(problem)
    segments, translations = ctx.text_reader("segments"), ctx.text_writer("translations")
    waiting = Waiting(segments)
    interpretation = Interpretation(ctx, Questions(ctx, chain, glossaries), translations.written(Translation))
    ctx.ready()
    for _ in ctx.turns():
        while not ctx.stopping and (segment := waiting.take(clock.now_ns())):
            try:
                for translation in interpretation.translations(segment):
                    translations.write(translation)
                    ctx.journal(translation)
                    ctx.vitals.add("translations")
            except NotNow as later:
                waiting.put_back(segment, later.due_ns)
            waiting.commit()  # only now: after a restart, mt translates what it had not written
