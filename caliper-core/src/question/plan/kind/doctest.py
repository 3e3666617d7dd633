import doctest, traceback, unittest
class Runner(doctest.DocTestRunner):
    first = None
    def report_failure(self, out, test, example, got):
        self.first = self.first or "expected %s, got %s" % (example.want.strip() or "nothing", got.strip() or "nothing")
        doctest.DocTestRunner.report_failure(self, out, test, example, got)
    def report_unexpected_exception(self, out, test, example, exc_info):
        self.first = self.first or traceback.format_exception_only(*exc_info[:2])[-1].strip()
        doctest.DocTestRunner.report_unexpected_exception(self, out, test, example, exc_info)
def module(path):
    folder, name = os.path.split(os.path.abspath(path))
    names = [name[:-3]]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        names.insert(0, package)
    if names[1:] and names[-1] == "__init__":
        names.pop()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    __import__(".".join(names))
    return sys.modules[".".join(names)]
def files(path):
    if not os.path.isdir(path):
        return [path]
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(one for one in folders if not one.startswith((".", "__")))
        found += [os.path.join(folder, one) for one in sorted(names) if one.endswith(".py")]
    return found
def tests(path):
    if not path.endswith(".py"):
        parser = doctest.DocTestParser()
        with io.open(path, encoding="utf-8") as file:
            return [parser.get_doctest(file.read(), {"__name__": "__main__"}, os.path.basename(path), path, 0)]
    return doctest.DocTestFinder().find(module(path))
failed = 0
for path in [file for one in sys.argv[1:] or ["."] for file in files(one)]:
    short = os.path.relpath(path).replace(os.sep, "/")
    try:
        found = [test for test in tests(path) if test.examples]
    except unittest.SkipTest as skip:
        report.add(short, "skipped", str(skip))
        continue
    except Exception:
        details = traceback.format_exc()
        sys.stdout.write(details)
        report.add(short, "error", details.strip().split("\n")[-1], details)
        failed += 1
        continue
    for test in found:
        said = []
        runner = Runner(verbose=False)
        try:
            result = runner.run(test, out=said.append)
        except unittest.SkipTest as skip:
            report.add(short + "::" + test.name, "skipped", str(skip))
            continue
        name = short if test.name == os.path.basename(path) else short + "::" + test.name
        if result.failed:
            failed += 1
            details = "".join(said)
            sys.stdout.write(details)
            message = runner.first.replace("\n", " ")
            report.add(name, "failure", message, details)
        else:
            report.add(name)
report.write()
print("%d documents and docstrings, %d failed" % (len(report.cases), failed))
sys.exit(1 if failed else 0)
