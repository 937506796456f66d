"""Widgets of lesson 02."""
