try:
    import ipykernel, nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
except ImportError as error:
    sys.exit("No module named %s" % getattr(error, "name", error))
path = sys.argv[1]
book = nbformat.read(path, as_version=4)
kernel = book.metadata.get("kernelspec", {})
# The kernel of this environment, whatever that of its author is called.
name = "python3" if kernel.get("language", "python") == "python" else kernel["name"]
client = NotebookClient(book, timeout=None, kernel_name=name, resources={"metadata": {"path": os.path.dirname(path) or "."}})
error = None
try:
    client.execute()
except CellExecutionError as failure:
    error = failure
number = 0
for cell in book.cells:
    if cell.cell_type != "code" or not cell.source.strip():
        continue
    number += 1
    ident = "%s::cell %d" % (path, number)
    outputs = cell.get("outputs", [])
    print("cell %d:" % number)
    failure = None
    for output in outputs:
        if output.output_type == "stream" and output.name == "stdout":
            sys.stdout.write(output.text)
        elif output.output_type == "error":
            failure = output
            print("%s: %s" % (output.ename, output.evalue))
        elif "data" in output and "text/plain" in output.data:
            print(output.data["text/plain"])
    if failure is not None:
        import re
        details = re.sub("\x1b\\[[0-9;]*m", "", "\n".join(failure.traceback))
        report.add(ident, "failure", "%s: %s" % (failure.ename, failure.evalue), details)
    elif cell.get("execution_count") is None:
        report.add(ident, "skipped", "a cell before it failed")
    else:
        report.add(ident)
report.write()
if error is not None:
    sys.exit(1)
