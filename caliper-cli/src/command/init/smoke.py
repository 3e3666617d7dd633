"""Passes if it exits with status 0. What it prints is the result that releases are compared by."""

import jinja2

print(jinja2.Template("Hello, {{ name }}!").render(name="world"))
