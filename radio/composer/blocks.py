"""The model's blocks for one new position a row, compiled: what music waits for on a CPU.

A step is many small operations, of which torch's own calls cost half: here it is one. Keys and values are kept in
8 bits, each vector with its own scale: reading them is most of the work, and the rounding cost 0.0001 bits of 3.3 a
position on 60 validation pieces. Keys lie with their positions last, values with theirs first, so that each loop runs
along memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from radio.composer.compiled import compiled

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8]
Whole = npt.NDArray[np.int64]

EPSILON = np.float32(np.finfo(np.float32).eps)
"""What RMSNorm adds, as torch's does."""


class Weights(NamedTuple):
    """Of all layers, each (layers, in, out)."""

    qkv: Floats
    out: Floats
    up: Floats
    down: Floats


class Cache(NamedTuple):
    """Keys and values of `rows` rows in 8 bits, the scale of each, and each row's length."""

    keys: Bytes
    """(layers, rows, heads, dim, context)"""
    values: Bytes
    """(layers, rows, heads, context, dim)"""
    key_scales: Floats
    """(layers, rows, heads, context)"""
    value_scales: Floats
    lengths: Whole
    """(rows,)"""

    @classmethod
    def empty(cls, layers: int, rows: int, heads: int, context: int, dim: int) -> Cache:
        shape = (layers, rows, heads)
        return cls(
            np.zeros((*shape, dim, context), np.int8),
            np.zeros((*shape, context, dim), np.int8),
            np.zeros((*shape, context), np.float32),
            np.zeros((*shape, context), np.float32),
            np.zeros(rows, np.int64),
        )

    def widened(self, rows: int) -> Cache:
        """The same with so many empty rows more."""
        layers, _, heads, dim, context = self.keys.shape
        more = Cache.empty(layers, rows, heads, context, dim)
        return Cache(
            np.concatenate((self.keys, more.keys), axis=1),
            np.concatenate((self.values, more.values), axis=1),
            np.concatenate((self.key_scales, more.key_scales), axis=1),
            np.concatenate((self.value_scales, more.value_scales), axis=1),
            np.concatenate((self.lengths, more.lengths)),
        )


@compiled
def norm(x: Floats, out: Floats) -> None:
    """RMSNorm of each row of x (R, D) into `out`."""
    for r in range(x.shape[0]):
        rms_norm(x[r], out[r])


@compiled
def multiply(x: Floats, matrix: Floats, out: Floats) -> None:
    """x (R, in) times a matrix (in, out) into `out` (R, out).

    For few rows: BLAS packs the matrix anew at every call, which costs more than so small a product itself.
    """
    for r in range(len(x)):
        for d in range(out.shape[1]):
            out[r, d] = 0
    # Eight at a time: what is summed up is read and written an eighth as often.
    for i in range(0, len(matrix), 8):
        m0, m1, m2, m3 = matrix[i], matrix[i + 1], matrix[i + 2], matrix[i + 3]
        m4, m5, m6, m7 = matrix[i + 4], matrix[i + 5], matrix[i + 6], matrix[i + 7]
        for r in range(len(x)):
            x0, x1, x2, x3 = x[r, i], x[r, i + 1], x[r, i + 2], x[r, i + 3]
            x4, x5, x6, x7 = x[r, i + 4], x[r, i + 5], x[r, i + 6], x[r, i + 7]
            to = out[r]
            for d in range(len(to)):
                to[d] += (x0 * m0[d] + x1 * m1[d] + x2 * m2[d] + x3 * m3[d]) + (
                    x4 * m4[d] + x5 * m5[d] + x6 * m6[d] + x7 * m7[d]
                )


@compiled
def rms_norm(vector: Floats, out: Floats) -> None:
    """RMSNorm of one vector into `out`."""
    squares = np.float32(0)
    for d in range(len(vector)):
        squares += vector[d] * vector[d]
    factor = np.float32(1) / np.sqrt(squares / np.float32(len(vector)) + EPSILON)
    for d in range(len(vector)):
        out[d] = vector[d] * factor


@compiled
def rotate(vector: Floats, cos: Floats, sin: Floats, out: Floats) -> None:
    """A head's query or key (dim,), normed and turned by the angles (dim / 2,), into `out`."""
    half = len(cos)
    rms_norm(vector, out)
    for d in range(half):
        a, b = out[d], out[d + half]
        out[d], out[d + half] = a * cos[d] - b * sin[d], b * cos[d] + a * sin[d]


@compiled
def scale(vector: Floats) -> np.float32:
    """What 1 of 127 is worth, where 127 is the vector's largest part."""
    most = np.float32(1e-20)
    for d in range(len(vector)):
        most = max(most, abs(vector[d]))
    return most / np.float32(127)


@compiled
def exponential(x: np.float32) -> np.float32:
    """e^x for x ≤ 0, as (e^(x/256))^256: the compiler has none for many numbers at once."""
    small = max(x, np.float32(-80)) * np.float32(1 / 256)
    e = small * np.float32(1 / 24) + np.float32(1 / 6)
    e = (e * small + np.float32(0.5)) * small * small + small + np.float32(1)
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    return e * e


@compiled
def fill(cache: Cache, row: int, keys: Floats, values: Floats) -> None:
    """Gives a row its first T positions: keys and values are (layers, heads, T, dim)."""
    layers, heads, length, dim = keys.shape
    for layer in range(layers):
        for h in range(heads):
            for i in range(length):
                key, value = keys[layer, h, i], values[layer, h, i]
                key_scale, value_scale = scale(key), scale(value)
                cache.key_scales[layer, row, h, i] = key_scale
                cache.value_scales[layer, row, h, i] = value_scale
                for d in range(dim):
                    cache.keys[layer, row, h, d, i] = np.int8(np.rint(key[d] / key_scale))
                    cache.values[layer, row, h, i, d] = np.int8(np.rint(value[d] / value_scale))
    cache.lengths[row] = length


@compiled
def attend(
    qkv: Floats, cos: Floats, sin: Floats, cache: Cache, layer: int, row: int, h: int, shares: Floats, out: Floats
) -> None:
    """One head of one row: adds a key and a value, and looks from the query over all; qkv is (3, dim), out (dim,)."""
    dim, last = qkv.shape[1], cache.lengths[row]
    held = last + 1
    keys, values = cache.keys[layer, row, h], cache.values[layer, row, h]
    key_scales, value_scales = cache.key_scales[layer, row, h], cache.value_scales[layer, row, h]
    query, key = np.empty(dim, np.float32), np.empty(dim, np.float32)
    rotate(qkv[0], cos, sin, query)
    rotate(qkv[1], cos, sin, key)
    key_scales[last], value_scales[last] = scale(key), scale(qkv[2])
    for d in range(dim):
        query[d] /= np.sqrt(np.float32(dim))
        keys[d, last] = np.int8(np.rint(key[d] / key_scales[last]))
        values[last, d] = np.int8(np.rint(qkv[2, d] / value_scales[last]))
    for i in range(held):
        shares[i] = 0
    # Four at a time: each share is read and written a quarter as often.
    for d in range(0, dim, 4):
        q0, q1, q2, q3 = query[d], query[d + 1], query[d + 2], query[d + 3]
        k0, k1, k2, k3 = keys[d], keys[d + 1], keys[d + 2], keys[d + 3]
        for i in range(held):
            shares[i] += q0 * k0[i] + q1 * k1[i] + q2 * k2[i] + q3 * k3[i]
    most = shares[0] * key_scales[0]
    for i in range(held):
        shares[i] *= key_scales[i]
        most = max(most, shares[i])
    total = np.float32(0)
    for i in range(held):
        share = exponential(shares[i] - most)
        total += share
        shares[i] = share * value_scales[i]
    for d in range(dim):
        query[d] = 0
    fours = held - held % 4
    for i in range(0, fours, 4):
        s0, s1, s2, s3 = shares[i], shares[i + 1], shares[i + 2], shares[i + 3]
        v0, v1, v2, v3 = values[i], values[i + 1], values[i + 2], values[i + 3]
        for d in range(dim):
            query[d] += s0 * v0[d] + s1 * v1[d] + s2 * v2[d] + s3 * v3[d]
    for i in range(fours, held):
        for d in range(dim):
            query[d] += shares[i] * values[i, d]
    for d in range(dim):
        out[d] = query[d] / total


@compiled
def step(x: Floats, cos: Floats, sin: Floats, weights: Weights, cache: Cache, rows: Whole) -> Floats:
    """Adds one position to each of `rows` (R,).

    Args:
        x: (R, D), the positions embedded.
        cos, sin: (R, dim / 2), how keys and queries turn.

    Returns:
        (R, D), the trunk's output.
    """
    count = len(x)
    layers, _, heads, dim, context = cache.keys.shape
    x, normed, attended, added = x.copy(), np.empty_like(x), np.empty_like(x), np.empty_like(x)
    projected = np.empty((count, 3, heads, dim), np.float32)
    hidden = np.empty((count, weights.up.shape[2]), np.float32)
    shares = np.empty(context, np.float32)
    for layer in range(layers):
        norm(x, normed)
        multiply(normed, weights.qkv[layer], projected.reshape(count, -1))
        for r in range(count):
            for h in range(heads):
                attend(projected[r, :, h], cos[r], sin[r], cache, layer, rows[r], h, shares, attended[r, h * dim :])
        multiply(attended, weights.out[layer], added)
        x += added
        norm(x, normed)
        multiply(normed, weights.up[layer], hidden)
        for r in range(count):
            for i in range(hidden.shape[1]):
                positive = max(hidden[r, i], np.float32(0))
                hidden[r, i] = positive * positive
        multiply(hidden, weights.down[layer], added)
        x += added
    norm(x, normed)
    for row in rows:
        cache.lengths[row] += 1
    return normed
