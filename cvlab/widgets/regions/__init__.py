"""Widgets of lesson 06a."""
