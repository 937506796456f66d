"""Lesson 07: from matching boxes to COCO's twelve numbers, and what stands behind them. (Import from it: `map` alone is Python's own.)"""
