"""tts: translations, spoken."""

from contextlib import closing

from appliance.engines.registry import load_synthesizers
from appliance.stages.engine_chain import EngineChain
from appliance.stages.speaking import Speaker
from appliance.supervision.context import Context

LOOKS_EVERY_S = 0.05  # words that wait for more become due as their lane runs dry


def main(ctx: Context) -> None:
    """Speak each translation into the downlink of its lane, clause by clause, as it grows."""
    synthesizers = load_synthesizers(ctx.config)
    ctx.stand_by()
    chain = EngineChain(ctx, "tts", synthesizers)
    translations = ctx.text_reader("translations")
    with closing(Speaker(ctx, chain, translations.position, ctx.journaled())) as speaker:
        ctx.ready()
        for _ in ctx.turns(LOOKS_EVERY_S):
            speaker.follow()
            while not ctx.stopping:
                while (translation := translations.read()) is not None:
                    speaker.take(translation, translations.position)
                for spoken in speaker.finished():
                    ctx.journal(spoken)
                clause = speaker.next_clause()
                translations.commit(speaker.done_until)  # after a restart, tts says what it had not finished
                if clause is None:
                    break
                speaker.begin(clause)
