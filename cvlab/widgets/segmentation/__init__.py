"""Widgets of lesson 05."""
