"""asr: what is said on the legs, as text."""

from appliance.engines.registry import load_recognizers, load_voice_detector
from appliance.stages.transcribing import Transcribers
from appliance.supervision.context import Context


def main(ctx: Context) -> None:
    """Write a segment for each utterance of each leg, as soon as it is over."""
    detector = load_voice_detector(ctx.config)
    detector.warm()
    transcribers = Transcribers(ctx, detector, load_recognizers(ctx.config))
    segments = ctx.text_writer("segments")
    ctx.ready()
    for _ in ctx.turns():
        speakers = transcribers.follow(ctx.roster())
        for speaker in speakers:
            for segment in speaker.segments():
                segments.write(segment)
                ctx.vitals.add("segments")
            speaker.settle()
        for speaker in speakers:  # afterwards: nobody's finished words wait for another's guess
            speaker.look_ahead()
