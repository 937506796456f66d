"""Lesson 04: a network that somebody else trained, put to a new task."""
