"""Widgets of lesson 01."""
