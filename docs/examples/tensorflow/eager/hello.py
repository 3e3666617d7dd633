"""The smallest eager program: a string and a sum."""
from __future__ import print_function

import tensorflow as tf

print(tf.constant("Hello, eager").numpy().decode("ascii"))
print("40 + 2 =", int(tf.constant(40) + tf.constant(2)))
