"""COCO files: categories, masks as run lengths, truth and results read and written, other formats."""
