"""The linear probe finds what scikit-learn's logistic regression finds."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from cvlab.transfer_learning.linear import linear_probe


@pytest.mark.parametrize("C", [0.01, 1, 10])
def test_it_is_scikit_learns(C):  # noqa: N803
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 4
    x = (rng.normal(size=(120, 30)) + 1.5 * np.eye(4)[labels].repeat(8, 1)[:, :30]).astype(np.float32)
    theirs = LogisticRegression(C=C, max_iter=2000, tol=1e-6).fit(x, labels)
    ours = linear_probe(torch.from_numpy(x), torch.from_numpy(labels), C)
    expected = theirs.predict_proba(x)
    assert np.allclose(ours(torch.from_numpy(x)).softmax(1), expected, atol=5e-3)


def test_bad_input_is_told():
    x, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"one a row; got \(4, 4\) and \(3,\)"):
        linear_probe(x, labels[:3])
    with pytest.raises(ValueError, match=r"at least two classes; got only \[0\]"):
        linear_probe(x, labels * 0)
    with pytest.raises(ValueError, match="C must be above 0; got 0"):
        linear_probe(x, labels, 0)
