"""Widgets of lesson 00."""
