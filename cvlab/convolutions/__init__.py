"""Lesson 02: sliding products, layers, their gradients and what they see."""
