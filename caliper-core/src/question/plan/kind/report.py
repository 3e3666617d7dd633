import io, os, sys
from xml.sax.saxutils import escape, quoteattr
def text(value):
    return value if not isinstance(value, bytes) else value.decode("utf-8", "replace")
class Report(object):
    def __init__(self):
        self.cases = []
    def add(self, name, kind=None, message="", details=""):
        end = "" if kind is None else u"<%s message=%s>%s</%s>" % (
            kind, quoteattr(text(message)), escape(text(details)), kind)
        self.cases.append(u"<testcase name=%s>%s</testcase>" % (quoteattr(text(name)), end))
    def write(self):
        # Who runs this by hand wants none.
        with io.open(os.environ.get("CALIPER_REPORT", os.devnull), "wb") as file:
            cases = u"<testsuite>%s</testsuite>" % u"\n".join(self.cases)
            file.write(cases.encode("utf-8", "replace"))
report = Report()
