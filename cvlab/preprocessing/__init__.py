"""Lesson 01: from a file to what a network takes."""
