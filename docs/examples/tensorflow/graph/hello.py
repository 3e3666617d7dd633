"""The smallest graph: a string and a sum."""
from __future__ import print_function

import tensorflow as tf

greeting = tf.constant("Hello, graph")
total = tf.constant(40) + tf.constant(2)

with tf.Session() as session:
    print(session.run(greeting).decode("ascii"))
    print("40 + 2 =", session.run(total))
