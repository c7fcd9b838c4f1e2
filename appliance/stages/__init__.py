"""The work of asr, mt and tts on one leg or lane: between the rings on one side and the engines on the other."""
