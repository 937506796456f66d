"""Widgets of lesson 03."""
