"""Eigenvalues, and what a vector has along eigenvectors, against LAPACK's: of matrices of any kind, alone and in a batch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pipeline.backprop.causes.matrices.eigenvalues import eigenvalues
from pipeline.backprop.causes.matrices.eigenvectors import NEGATIVE, downward
from tests.backprop.causes.matrices import SIZES, matrices, symmetric


@pytest.mark.parametrize("size", SIZES)
def test_eigenvalues_are_lapacks(size):
    many = matrices(size)
    expected = np.linalg.eigvalsh(np.moveaxis(many, -1, 0)).T
    random = np.random.default_rng(0)
    for found in (eigenvalues(many), downward(many, random.normal(size=many.shape[1:]))[0]):
        assert (np.abs(np.sort(found, axis=0) - expected) <= 2e-15 * size * np.abs(expected).max(axis=0)).all()


@pytest.mark.parametrize("size", SIZES)
def test_shares_along_negative_eigenvectors_are_lapacks(size):
    random = np.random.default_rng(size)
    many = np.stack([symmetric(np.linspace(-1, 0.7, size) + 0.1 / size, random) for _ in range(6)], axis=-1)
    vector = random.normal(size=(size, 6))
    vector[:, 1] = np.linalg.eigh(many[..., 1])[1][:, 0]  # along one alone
    vector[:, 2] = 1e-170 * vector[:, 2]
    vector[:, 3] *= 1e170
    vector[:, 4] = np.arange(size) == 0
    values, shares = downward(many, vector)
    for run in range(6):
        expected, axes = np.linalg.eigh(many[..., run])
        own = vector[:, run] / np.abs(vector[:, run]).max()
        along = (axes.T @ own) / np.linalg.norm(own)
        order = np.argsort(values[:, run])
        assert_allclose(shares[order, run], np.where(expected < 0, along**2, 0.0), atol=1e-13 * size)


def test_small_shares_are_right_relative_to_themselves():
    random = np.random.default_rng(5)
    axes, _ = np.linalg.qr(random.normal(size=(9, 9)))
    many = ((axes * np.linspace(-1, 7, 9)) @ axes.T)[..., None].repeat(8, axis=-1)
    parts = np.ones((9, 8))
    parts[0] = 10.0 ** -np.arange(8)
    values, shares = downward(many, axes @ parts)
    share = np.take_along_axis(shares, values.argmin(axis=0)[None], 0)[0]
    assert_allclose(share, parts[0] ** 2 / (parts**2).sum(axis=0), rtol=1e-6)


def test_of_equal_eigenvalues_and_of_none_below_zero():
    values, shares = downward(-np.eye(3)[..., None], np.ones((3, 1)))
    assert values.tolist() == [[-1.0]] * 3
    assert shares.max() == 1.0
    for bowl in (np.eye(3), np.zeros((3, 3)), -NEGATIVE / 2 * np.diag([1.0, 0.0, 0.0]) + np.diag([0.0, 1.0, 1.0])):
        assert (downward(bowl[..., None], np.ones((3, 1)))[1] == 0.0).all()
    assert not np.isnan(downward(-np.eye(3)[..., None], np.zeros((3, 1)))[1]).any()  # a gradient of 0


@pytest.mark.parametrize("size", SIZES)
def test_a_matrix_has_the_same_bits_alone_and_in_a_batch_in_any_order(size):
    many = matrices(size)
    many[0, 0, 3] = np.nan
    vector = np.random.default_rng(1).normal(size=many.shape[1:])
    together = (eigenvalues(many), *downward(many, vector))
    backwards = (eigenvalues(many[..., ::-1]), *downward(many[..., ::-1], vector[:, ::-1]))
    for run in range(many.shape[-1]):
        alone = (eigenvalues(many[..., [run]]), *downward(many[..., [run]], vector[:, [run]]))
        for own, all_forward, all_backward in zip(alone, together, backwards, strict=True):
            assert own[:, 0].tobytes() == all_forward[:, run].tobytes()
            assert own[:, 0].tobytes() == all_backward[:, ::-1][:, run].tobytes()


def test_what_is_not_finite_has_no_eigenvalues():
    many = np.zeros((2, 2, 4))
    many[0, 0] = np.nan, 3.0, -np.inf, -1.0
    assert np.isnan(eigenvalues(many)[:, [0, 2]]).all()
    assert sorted(eigenvalues(many)[:, 1].tolist()) == [0.0, 3.0]
    vector = np.ones((2, 4))
    vector[0, 1] = np.nan
    values, shares = downward(many, vector)
    assert np.isnan(values).all(axis=0).tolist() == [True, True, True, False]
    assert np.isnan(shares).all(axis=0).tolist() == [True, True, True, False]
