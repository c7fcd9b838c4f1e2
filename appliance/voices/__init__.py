"""Voices: who somebody is, how they speak, and their leave to be spoken for."""
