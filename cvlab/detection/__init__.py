"""Lesson 06b: anchors, two stages, one stage, and a detector that leaves PyTorch."""
