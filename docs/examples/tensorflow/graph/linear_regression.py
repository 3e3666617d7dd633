"""Fits y = w x + b to noisy points of the line y = 3 x + 2."""
from __future__ import print_function

import numpy as np
import tensorflow as tf

random = np.random.RandomState(0)
xs = random.uniform(-1, 1, 200).astype(np.float32)
ys = (3 * xs + 2 + 0.1 * random.normal(size=200)).astype(np.float32)

w = tf.Variable(0.0)
b = tf.Variable(0.0)
loss = tf.reduce_mean(tf.square(w * xs + b - ys))
step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)

with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for _ in range(200):
        session.run(step)
    print("w = %.4f  b = %.4f  loss = %.4f" % tuple(session.run([w, b, loss])))
