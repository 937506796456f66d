"""Widgets of lesson 07."""
