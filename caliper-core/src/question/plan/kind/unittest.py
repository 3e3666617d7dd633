import re, unittest
def name(test):
    whole = test.id()
    inside = re.match(r"\w+ \((.*)\)$", whole)
    if inside:
        return inside.group(1)
    return re.sub(r"^unittest\.loader\.(_FailedTest|ModuleImportFailure|LoadTestsFailure)\.", "", whole)
def last(details):
    lines = [line for line in details.strip().split("\n") if line and not line.startswith(" ")]
    return lines[-1] if lines else ""
class Result(unittest.TextTestResult):
    def told(self, test, kind, err):
        details = self._exc_info_to_string(err, test)
        report.add(name(test), kind, last(details), details)
    def addSuccess(self, test):
        unittest.TextTestResult.addSuccess(self, test)
        report.add(name(test))
    def addFailure(self, test, err):
        unittest.TextTestResult.addFailure(self, test, err)
        self.told(test, "failure", err)
    def addError(self, test, err):
        unittest.TextTestResult.addError(self, test, err)
        self.told(test, "error", err)
    def addSubTest(self, test, subtest, err):
        unittest.TextTestResult.addSubTest(self, test, subtest, err)
        if err is not None:
            self.told(test, "failure", err)
    def addSkip(self, test, reason):
        unittest.TextTestResult.addSkip(self, test, reason)
        report.add(name(test), "skipped", reason)
    def addExpectedFailure(self, test, err):
        unittest.TextTestResult.addExpectedFailure(self, test, err)
        report.add(name(test), "skipped", "expected test failure")
    def addUnexpectedSuccess(self, test):
        unittest.TextTestResult.addUnexpectedSuccess(self, test)
        report.add(name(test), "failure", "unexpected success")
class Runner(unittest.TextTestRunner):
    resultclass = Result
if __name__ == "__main__":
    try:
        unittest.main(module=None, argv=["python -m unittest"] + (sys.argv[1:] or ["discover"]), testRunner=Runner)
    finally:
        report.write()
