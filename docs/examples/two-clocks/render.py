"""Renders one small template with a loop, filters and a macro, and prints the result.

Runs on Python 2.7 as well as on 3.x, so that old releases of Jinja2 can be measured where they belong.
"""
from __future__ import print_function

from jinja2 import Environment

SOURCE = """\
{% macro row(item) -%}
{{ item.name|title }}: {{ item.count }} x {{ "%.2f"|format(item.price) }}
{%- endmacro -%}
Order for {{ customer|e }}
{% for item in items|sort(attribute="name") -%}
{{ loop.index }}. {{ row(item) }}
{% endfor -%}
Names: {{ items|map(attribute="name")|sort|join(", ") }}
Items: {{ items|length }}
"""

ITEMS = [
    {"name": "tea", "count": 2, "price": 3.5},
    {"name": "bread", "count": 1, "price": 2.25},
    {"name": "green apples", "count": 6, "price": 0.4},
]

# Autoescape is off, as it is by default; the one filter that escapes is `e`.
print(Environment().from_string(SOURCE).render(customer="Bea & Sons", items=ITEMS))
