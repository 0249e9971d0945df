"""Preparation: chooses frames, finds the face, cuts crops and stores them as a table."""
