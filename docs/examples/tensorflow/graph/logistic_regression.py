"""Separates two overlapping clouds of points in the plane."""
from __future__ import print_function

import numpy as np
import tensorflow as tf

random = np.random.RandomState(1)
points = np.concatenate([random.normal(-1, 1, (150, 2)), random.normal(1, 1, (150, 2))]).astype(np.float32)
labels = np.repeat([[0.0], [1.0]], 150, axis=0).astype(np.float32)

weights = tf.Variable(tf.zeros([2, 1]))
bias = tf.Variable(tf.zeros([1]))
scores = tf.matmul(points, weights) + bias
# The cross entropy, written out: the arguments of TensorFlow's own function changed their names in 1.0.
loss = tf.reduce_mean(tf.nn.softplus(scores) - labels * scores)
step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
accuracy = tf.reduce_mean(tf.cast(tf.equal(scores > 0, labels > 0.5), tf.float32))

with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for _ in range(300):
        session.run(step)
    values = session.run([weights, bias, loss, accuracy])

print("weights = %.4f %.4f  bias = %.4f" % (tuple(values[0].ravel()) + (values[1][0],)))
print("loss = %.4f  accuracy = %.4f" % (values[2], values[3]))
