"""Widgets of lesson 04."""
