"""Lesson 08b: what was learnt without labels, and how it is judged."""
