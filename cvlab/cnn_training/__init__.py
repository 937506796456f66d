"""Lesson 03: networks, batches, the training loop; `python -m cvlab.cnn_training` runs it as a program."""
