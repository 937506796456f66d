"""Widgets of lesson 06b."""
