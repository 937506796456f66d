"""Lesson 05: an answer for every pixel."""
