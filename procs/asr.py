"""asr: what is said on the legs, as text."""

from contextlib import closing

from appliance.engines.registry import load_recognizers, load_voice_detector
from appliance.stages.engine_chain import EngineChain
from appliance.stages.local_streams import LocalStreams, stream_policy
from appliance.stages.transcribing import Transcribers
from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Write segments of what each leg says while it is said, as far as it is sure."""
    detector = load_voice_detector(ctx.config)
    detector.warm()
    policy = stream_policy(ctx.config.engines)
    recognizers = load_recognizers(ctx.config, lambda recognizer: LocalStreams(recognizer, detector, policy))
    ctx.stand_by()
    segments, languages = ctx.text_writer("segments"), ctx.text_writer("languages")
    with closing(Transcribers(ctx, EngineChain(ctx, "asr", recognizers))) as transcribers:
        ctx.ready()
        for _ in ctx.turns():
            speakers = transcribers.follow(ctx.roster())
            for speaker in speakers:
                speaker.feed()
            transcribers.advance()
            for speaker in speakers:
                for segment in speaker.segments():
                    segments.write(segment)
                    ctx.vitals.add("segments")
                if found := speaker.language_found():
                    languages.write(found)
                speaker.settle()
