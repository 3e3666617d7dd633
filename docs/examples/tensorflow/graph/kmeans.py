"""Finds the centres of three clouds of points with ten rounds of k-means."""
from __future__ import print_function

import numpy as np
import tensorflow as tf

random = np.random.RandomState(2)
points = np.concatenate(
    [random.normal(centre, 0.5, (100, 2)) for centre in ([0, 0], [4, 0], [2, 3])]
).astype(np.float32)

# One start in each cloud, so that the result does not hang on a lucky draw.
centres = tf.Variable(points[[0, 100, 200]])
distances = tf.reduce_sum(tf.square(tf.expand_dims(points, 1) - tf.expand_dims(centres, 0)), 2)
nearest = tf.cast(tf.argmin(distances, 1), tf.int32)
sums = tf.unsorted_segment_sum(points, nearest, 3)
counts = tf.unsorted_segment_sum(np.ones((300, 1), np.float32), nearest, 3)
step = tf.assign(centres, sums / counts)
inertia = tf.reduce_sum(tf.reduce_min(distances, 1))

with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for _ in range(10):
        session.run(step)
    values = session.run([centres, counts, inertia])

for centre, count in zip(values[0], values[1]):
    print("centre = %.4f %.4f  points = %d" % (centre[0], centre[1], count[0]))
print("inertia = %.2f" % values[2])
