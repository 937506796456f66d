"""Handwritten digits with room around them, to be moved about."""

import numpy as np

__all__ = ["wide_digits"]


def wide_digits() -> tuple[np.ndarray, np.ndarray]:
    """Read scikit-learn's 8 x 8 digits, each in the middle of a 16 x 16 picture.

    Returns:
        (1797, 16, 16) floats 0 (paper) to 1 (ink), and (1797,) digits 0 to 9.

    Example:
        >>> digits, labels = wide_digits()
        >>> digits.shape, labels[:5].tolist()
        ((1797, 16, 16), [0, 1, 2, 3, 4])

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998; the copy in scikit-learn.
    """
    from sklearn.datasets import load_digits

    digits, labels = load_digits(return_X_y=True)
    return np.pad(digits.reshape(-1, 8, 8) / 16, ((0, 0), (4, 4), (4, 4))), labels
