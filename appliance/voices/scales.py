"""How the likenesses that an encoder of voices gives are read: cosines of different ones mean different things."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Cosines, and how many partials in a row are judged as one."""

    same: float  # and more: the same voice
    other: float  # less: another voice
    least_likeness: float  # of speech to a voice on file, to be taken for it; above 1: nobody is
    other_below: float  # in a call: somebody else has taken the phone
    stretch: int  # partials: 5.5 to 6 s
    least_stretch: int  # partials: 3 s; less varies too much to be judged


# Measured, in stretches of 3 s and more. The two halves of one voice in one room (two people, thirteen synthetic
# voices) are 0.89 to 0.98 alike, two voices 0.46 to 0.73. Single sentences have been seen at 0.71 for one person and at
# 0.82 for two; one person in two places is 0.84 (telephone), 0.69 (echoing room), 0.66 (noisy telephone).
RESEMBLYZER = Scale(0.80, 0.70, 0.80, 0.60, 6, 3)

# Not measured here, as the weights cannot be had here: 0.25 is where SpeechBrain itself decides (speechbrain 1.1.2,
# inference/speaker.py, verify_batch). To tell one of many, that is too little, and nobody has measured what is enough.
ECAPA = Scale(0.25, 0.25, 1.01, 0.25, 3, 1)


def scale_of(ecapa_folder: str) -> Scale:
    """The one that counts with this configuration."""
    return ECAPA if ecapa_folder else RESEMBLYZER
