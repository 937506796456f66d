"""Lesson 08a: a vision transformer, two views, a student and its own past."""
