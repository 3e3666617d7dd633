"""Saves a variable, changes it, and gets the saved value back."""
from __future__ import print_function

import os
import shutil
import tempfile

import numpy as np
import tensorflow as tf

start = np.random.RandomState(3).normal(size=(4, 3)).astype(np.float32)
weights = tf.Variable(start, name="weights")
total = tf.reduce_sum(weights)
double = tf.assign(weights, weights * 2)
saver = tf.train.Saver()

folder = tempfile.mkdtemp()
try:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        print("saved:    %.4f" % session.run(total))
        path = saver.save(session, os.path.join(folder, "model"))
        session.run(double)
        print("changed:  %.4f" % session.run(total))
    with tf.Session() as session:
        saver.restore(session, path)
        print("restored: %.4f" % session.run(total))
        print("equal:    %s" % bool((session.run(weights) == start).all()))
finally:
    shutil.rmtree(folder)
