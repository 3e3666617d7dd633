"""Separates two overlapping clouds of points in the plane."""
from __future__ import print_function

import numpy as np
import tensorflow as tf

random = np.random.RandomState(1)
points = np.concatenate([random.normal(-1, 1, (150, 2)), random.normal(1, 1, (150, 2))]).astype(np.float32)
labels = np.repeat([[0.0], [1.0]], 150, axis=0).astype(np.float32)

weights = tf.Variable(tf.zeros([2, 1]))
bias = tf.Variable(tf.zeros([1]))


def scores():
    return tf.matmul(points, weights) + bias


def loss():
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=scores()))


for _ in range(300):
    with tf.GradientTape() as tape:
        now = loss()
    for variable, gradient in zip([weights, bias], tape.gradient(now, [weights, bias])):
        variable.assign_sub(0.5 * gradient)

accuracy = np.mean((scores().numpy() > 0) == (labels > 0.5))
print("weights = %.4f %.4f  bias = %.4f" % (tuple(weights.numpy().ravel()) + (bias.numpy()[0],)))
print("loss = %.4f  accuracy = %.4f" % (loss().numpy(), accuracy))
