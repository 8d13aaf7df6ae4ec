"""Symmetric positive definite systems, as small as a number of arms."""

from __future__ import annotations

from math import sqrt

Matrix = list[list[float]]


def inverse(matrix: Matrix) -> Matrix:
    """Of a symmetric positive definite matrix, by its Cholesky factor; ValueError when it is not one."""
    size = len(matrix)
    lower: Matrix = [[0.0] * size for _ in range(size)]
    for row in range(size):
        for column in range(row + 1):
            rest = matrix[row][column] - sum(map(_product, lower[row][:column], lower[column][:column]))
            if row == column:
                if rest <= 0:
                    raise ValueError("the matrix is not positive definite")
                lower[row][row] = sqrt(rest)
            else:
                lower[row][column] = rest / lower[column][column]
    half: Matrix = [[0.0] * size for _ in range(size)]
    for column in range(size):
        for row in range(column, size):
            known = sum(lower[row][k] * half[k][column] for k in range(column, row))
            half[row][column] = ((row == column) - known) / lower[row][row]
    return [
        [sum(half[k][i] * half[k][j] for k in range(max(i, j), size)) for j in range(size)]
        for i in range(size)
    ]


def times(matrix: Matrix, vector: list[float]) -> list[float]:
    return [sum(map(_product, row, vector)) for row in matrix]


def _product(one: float, other: float) -> float:
    return one * other
