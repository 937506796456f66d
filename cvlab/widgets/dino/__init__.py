"""Widgets of lesson 08b."""
