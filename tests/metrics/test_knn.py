"""The nearest neighbours vote, each once."""

import numpy as np
import pytest
import torch

from ssgan.metrics.knn import classify_by_neighbours


def rows(count, seed, size=5):
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def by_hand(training, labels, test, num_classes, k):
    """Loops, float64."""
    training, test = training.double().numpy(), test.double().numpy()
    found = []
    for row in test:
        norms = np.linalg.norm(training, axis=1) * np.linalg.norm(row)
        similarity = training @ row / norms
        best = np.argsort(-similarity)[:k]
        votes = [sum(labels[i] == c for i in best) for c in range(num_classes)]
        sums = [sum(similarity[i] for i in best if labels[i] == c) for c in range(num_classes)]
        found.append(max(range(num_classes), key=lambda c: (votes[c], sums[c])))
    return found


@pytest.mark.parametrize("k", [1, 4, 20])
def test_the_vote_is_that_of_plain_loops_ties_included(k, monkeypatch):
    monkeypatch.setattr("ssgan.metrics.knn._CELLS", 300)  # several blocks
    training, test = rows(60, 0), rows(41, 1)
    labels = torch.arange(60) % 3
    found = classify_by_neighbours(training, labels, test, 3, k)
    assert found.tolist() == by_hand(training, labels.numpy(), test, 3, k)


def test_with_fewer_rows_than_neighbours_all_vote():
    training = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    found = classify_by_neighbours(training, torch.tensor([1, 1, 0]), torch.tensor([[0.0, 1.0]]), 2)
    assert found.tolist() == [1]


def test_a_row_of_zeros_is_no_error():
    found = classify_by_neighbours(torch.zeros(3, 2), torch.tensor([0, 1, 1]), torch.zeros(1, 2), 2)
    assert found.tolist() == [1]


def test_scikit_learn_counts_the_same_votes():
    """With k = 1 there is no tie to break."""
    neighbors = pytest.importorskip("sklearn.neighbors")
    training, test, labels = rows(200, 0), rows(100, 1), torch.arange(200) % 4
    theirs = neighbors.KNeighborsClassifier(1, metric="cosine").fit(training, labels)
    assert (
        classify_by_neighbours(training, labels, test, 4, 1).tolist()
        == theirs.predict(test).tolist()
    )
