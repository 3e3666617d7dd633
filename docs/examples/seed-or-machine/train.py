"""Trains a small network on points of a sine with NumPy. What it begins with, the order of its data, and what it ends
with are left in `out/`, and its metrics are printed.

The gradients of a batch are computed by threads, and added in the order in which these finish: an effect of the machine
that no seed takes away.
"""

import concurrent.futures
import os

import numpy as np

EPOCHS, BATCH, THREADS, RATE = 3, 64, 4, 0.1

rng = np.random.default_rng(int(os.environ["SEED"]))
x = np.linspace(-1, 1, 512).reshape(-1, 1)
y = np.sin(3 * x)
first, second = rng.normal(size=(1, 16)), rng.normal(size=(16, 1)) * 0.3
os.makedirs("out", exist_ok=True)
np.savez("out/init.npz", first=first, second=second)
np.savez("out/data.npz", x=x, y=y)


def gradients(rows):
    """The gradients of both layers over some rows."""
    hidden = np.tanh(x[rows] @ first)
    error = 2 * (hidden @ second - y[rows]) / BATCH
    back = (error @ second.T) * (1 - hidden * hidden)
    return x[rows].T @ back, hidden.T @ error


with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
    for epoch in range(EPOCHS):
        order = rng.permutation(len(x))
        np.savetxt(f"out/order {epoch}.txt", order, fmt="%d")
        for start in range(0, len(x), BATCH):
            parts = np.array_split(order[start : start + BATCH], THREADS)
            of_first, of_second = np.zeros_like(first), np.zeros_like(second)
            for done in concurrent.futures.as_completed([pool.submit(gradients, rows) for rows in parts]):
                of_first += done.result()[0]
                of_second += done.result()[1]
            first, second = first - RATE * of_first, second - RATE * of_second

np.savez("out/final.npz", first=first, second=second)
error = np.tanh(x @ first) @ second - y
print("loss", repr(float(np.mean(error**2))))
print("largest_error", repr(float(np.abs(error).max())))
