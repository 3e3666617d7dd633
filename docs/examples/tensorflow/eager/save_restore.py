"""Saves a variable, changes it, and gets the saved value back."""
from __future__ import print_function

import os
import shutil
import tempfile

import numpy as np
import tensorflow as tf

start = np.random.RandomState(3).normal(size=(4, 3)).astype(np.float32)
weights = tf.Variable(start)


def total():
    return tf.reduce_sum(weights).numpy()


folder = tempfile.mkdtemp()
try:
    print("saved:    %.4f" % total())
    path = tf.train.Checkpoint(weights=weights).save(os.path.join(folder, "model"))
    weights.assign(weights * 2)
    print("changed:  %.4f" % total())
    tf.train.Checkpoint(weights=weights).restore(path).assert_consumed()
    print("restored: %.4f" % total())
    print("equal:    %s" % bool((weights.numpy() == start).all()))
finally:
    shutil.rmtree(folder)
