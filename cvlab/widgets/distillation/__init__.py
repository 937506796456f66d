"""Widgets of lesson 08a."""
