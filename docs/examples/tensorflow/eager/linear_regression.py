"""Fits y = w x + b to noisy points of the line y = 3 x + 2."""
from __future__ import print_function

import numpy as np
import tensorflow as tf

random = np.random.RandomState(0)
xs = random.uniform(-1, 1, 200).astype(np.float32)
ys = (3 * xs + 2 + 0.1 * random.normal(size=200)).astype(np.float32)

w = tf.Variable(0.0)
b = tf.Variable(0.0)


def loss():
    return tf.reduce_mean(tf.square(w * xs + b - ys))


for _ in range(200):
    with tf.GradientTape() as tape:
        now = loss()
    for variable, gradient in zip([w, b], tape.gradient(now, [w, b])):
        variable.assign_sub(0.1 * gradient)

print("w = %.4f  b = %.4f  loss = %.4f" % (w.numpy(), b.numpy(), loss().numpy()))
