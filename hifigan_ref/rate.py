"""The rate of the shipped clip, and of every recording in the article."""

CLIP_RATE = 22050  # Hz
