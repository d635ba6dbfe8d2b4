"""The model's blocks for one new position a row: what music waits for on a CPU.

Matrices are torch's; what lies between them is compiled, since its many small operations would cost as much as the
matrices do. Keys and values are kept in 8 bits, each vector with its own scale: reading them is most of the work, and
the rounding cost 0.0001 bits of 3.3 a position on 60 validation pieces. Both lie in blocks of some positions, each
with its positions last, so that all loops run along memory and memory is read from one end to the other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from radio.composer.compiled import compiled
from radio.music.tokens import PREFIX_LENGTH

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8]
Whole = npt.NDArray[np.int64]

EPSILON = np.float32(np.finfo(np.float32).eps)
"""What RMSNorm adds, as torch's does."""


BLOCK = 64
"""Positions of a block."""


class Weights(NamedTuple):
    """Of all layers, each (layers, in, out)."""

    qkv: Tensor
    out: Tensor
    up: Tensor
    down: Tensor


class Cache(NamedTuple):
    """Keys and values of `rows` rows in 8 bits, the scale of each, and what each row has had and holds."""

    keys: Bytes
    """(layers, rows, heads, blocks, dim, BLOCK)"""
    values: Bytes
    """(layers, rows, heads, blocks, dim, BLOCK)"""
    key_scales: Floats
    """(layers, rows, heads, blocks × BLOCK)"""
    value_scales: Floats
    """(layers, rows, heads, blocks × BLOCK)"""
    lengths: Whole
    """(rows,): positions a row has had."""
    sights: Whole
    """(rows,): positions that a row holds at most, its prefix and then the latest; 0: all that it has had."""

    @classmethod
    def empty(cls, layers: int, rows: int, heads: int, context: int, dim: int) -> Cache:
        blocks = -(-context // BLOCK)
        held, scales = (layers, rows, heads, blocks, dim, BLOCK), (layers, rows, heads, blocks * BLOCK)
        return cls(
            np.zeros(held, np.int8),
            np.zeros(held, np.int8),
            np.zeros(scales, np.float32),
            np.zeros(scales, np.float32),
            np.zeros(rows, np.int64),
            np.zeros(rows, np.int64),
        )

    def widened(self, rows: int) -> Cache:
        """The same with so many empty rows more."""
        layers, _, heads, blocks, dim, _ = self.keys.shape
        more = Cache.empty(layers, rows, heads, blocks * BLOCK, dim)
        return Cache(
            np.concatenate((self.keys, more.keys), axis=1),
            np.concatenate((self.values, more.values), axis=1),
            np.concatenate((self.key_scales, more.key_scales), axis=1),
            np.concatenate((self.value_scales, more.value_scales), axis=1),
            np.concatenate((self.lengths, more.lengths)),
            np.concatenate((self.sights, more.sights)),
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
def norm(x: Floats, out: Floats) -> None:
    """RMSNorm of each row of x (R, D) into `out`."""
    for r in range(len(x)):
        rms_norm(x[r], out[r])


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
                    cache.keys[layer, row, h, i // BLOCK, d, i % BLOCK] = np.int8(np.rint(key[d] / key_scale))
                    cache.values[layer, row, h, i // BLOCK, d, i % BLOCK] = np.int8(np.rint(value[d] / value_scale))
    cache.lengths[row] = length


@compiled
def look(
    query: Floats,
    keys: Bytes,
    values: Bytes,
    key_scales: Floats,
    value_scales: Floats,
    held: int,
    shares: Floats,
    out: Floats,
) -> None:
    """One head of one row looks from a query (dim,) over the `held` positions of its cache, into `out` (dim,)."""
    dim, blocks = len(query), (held + BLOCK - 1) // BLOCK
    for b in range(blocks):
        of, to = keys[b], shares[b * BLOCK : (b + 1) * BLOCK]
        for i in range(BLOCK):
            to[i] = 0
        # Four at a time: each share is read and written a quarter as often.
        for d in range(0, dim, 4):
            q0, q1, q2, q3 = query[d], query[d + 1], query[d + 2], query[d + 3]
            k0, k1, k2, k3 = of[d], of[d + 1], of[d + 2], of[d + 3]
            for i in range(BLOCK):
                to[i] += q0 * k0[i] + q1 * k1[i] + q2 * k2[i] + q3 * k3[i]
    most = shares[0] * key_scales[0]
    for i in range(held):
        shares[i] *= key_scales[i]
        most = max(most, shares[i])
    total = np.float32(0)
    for i in range(held):
        share = exponential(shares[i] - most)
        total += share
        shares[i] = share * value_scales[i]
    for i in range(held, blocks * BLOCK):
        shares[i] = 0
    for d in range(dim):
        out[d] = 0
    for b in range(blocks):
        of, to = values[b], shares[b * BLOCK : (b + 1) * BLOCK]
        for d in range(0, dim, 4):
            v0, v1, v2, v3 = of[d], of[d + 1], of[d + 2], of[d + 3]
            s0 = s1 = s2 = s3 = np.float32(0)
            for i in range(BLOCK):
                s0 += to[i] * v0[i]
                s1 += to[i] * v1[i]
                s2 += to[i] * v2[i]
                s3 += to[i] * v3[i]
            out[d] += s0
            out[d + 1] += s1
            out[d + 2] += s2
            out[d + 3] += s3
    for d in range(dim):
        out[d] /= total


@compiled
def attend(qkv: Floats, cos: Floats, sin: Floats, cache: Cache, layer: int, rows: Whole, out: Floats) -> None:
    """Adds a key and a value to each of `rows` (R,), and looks from its query over all it holds.

    Args:
        qkv: (R, 3, heads, dim), neither normed nor turned.
        cos, sin: (R, dim / 2), how keys and queries turn.
        out: (R, heads × dim), what was seen.
    """
    count, _, heads, dim = qkv.shape
    query, key = np.empty(dim, np.float32), np.empty(dim, np.float32)
    shares = np.empty(cache.key_scales.shape[3], np.float32)
    root = np.float32(1) / np.sqrt(np.float32(dim))
    for r in range(count):
        row = rows[r]
        last, held = cache.lengths[row], cache.lengths[row] + 1
        if 0 < cache.sights[row] < held:
            # What is new goes where the oldest was: in attention no order counts, but what keys were turned by.
            held = cache.sights[row]
            last = PREFIX_LENGTH + (last - PREFIX_LENGTH) % (held - PREFIX_LENGTH)
        block, place = last // BLOCK, last % BLOCK
        for h in range(heads):
            value = qkv[r, 2, h]
            rotate(qkv[r, 0, h], cos[r], sin[r], query)
            rotate(qkv[r, 1, h], cos[r], sin[r], key)
            key_scale, value_scale = scale(key), scale(value)
            cache.key_scales[layer, row, h, last], cache.value_scales[layer, row, h, last] = key_scale, value_scale
            keys, values = cache.keys[layer, row, h], cache.values[layer, row, h]
            for d in range(dim):
                query[d] *= root
                keys[block, d, place] = np.int8(np.rint(key[d] / key_scale))
                values[block, d, place] = np.int8(np.rint(value[d] / value_scale))
            look(
                query,
                keys,
                values,
                cache.key_scales[layer, row, h],
                cache.value_scales[layer, row, h],
                held,
                shares,
                out[r, h * dim : (h + 1) * dim],
            )


def step(x: Tensor, cos: Tensor, sin: Tensor, weights: Weights, cache: Cache, rows: Whole) -> Tensor:
    """Adds one position to each of `rows` (R,).

    Args:
        x: (R, D), the positions embedded.
        cos, sin: (R, dim / 2), how keys and queries turn.

    Returns:
        (R, D), the trunk's output.
    """
    count = len(x)
    layers, _, heads, _, dim, _ = cache.keys.shape
    x, normed = x.clone(), torch.empty_like(x)
    projected = x.new_empty(count, weights.qkv.shape[2])
    hidden = x.new_empty(count, weights.up.shape[2])
    seen = torch.empty_like(x)
    by_head = projected.view(count, 3, heads, dim).numpy()
    x_, normed_, seen_, cos_, sin_ = x.numpy(), normed.numpy(), seen.numpy(), cos.numpy(), sin.numpy()
    for layer in range(layers):
        norm(x_, normed_)
        torch.mm(normed, weights.qkv[layer], out=projected)
        attend(by_head, cos_, sin_, cache, layer, rows, seen_)
        x.addmm_(seen, weights.out[layer])
        norm(x_, normed_)
        torch.mm(normed, weights.up[layer], out=hidden)
        x.addmm_(hidden.relu_().square_(), weights.down[layer])
    norm(x_, normed_)
    cache.lengths[rows] += 1
    return normed
