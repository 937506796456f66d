"""Lesson 06a: boxes, one object, windows, suppression, proposals, regions of interest."""
