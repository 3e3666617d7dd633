"""Opens report pages in a browser without network, and uses them as a reader would.

    python3 tests/browser/check.py PAGE…

Each PAGE is a file that `caliper report` has written. What is expected is read from the page's own data. Needs what
`browser.py` needs, and axe-core from the PyPI package `axe-playwright-python` (`pip install --no-deps` is enough), or a file
named by AXE.
"""

import importlib.util
import os
import sys
import time
import traceback
from pathlib import Path

from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from browser import DATA, cell_id, chromium, complaints, fragment_of, is_outside, location, requests_of, screen


class Page:
    """A page in a browser, with its data."""

    def __init__(self, driver, path):
        self.driver, self.path = driver, path
        self.open()
        self.data = driver.execute_script(DATA)

    def open(self, fragment=""):
        # The fragment alone would not load the page again.
        self.driver.get("about:blank")
        self.driver.get(location(self.path) + fragment)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, *arguments, seconds=20):
        WebDriverWait(self.driver, seconds, 0.05).until(
            lambda driver: driver.execute_script(f"return {script}", *arguments), script
        )

    def select(self, label):
        """The choice with this label above the matrix or the plot, or None."""
        for element in self.all("#controls label, #tools label, #plot label, footer label"):
            own = self.run("return arguments[0].firstChild.textContent", element)
            if own == label:
                return Select(element.find_element(By.TAG_NAME, "select"))
        return None

    def status(self):
        return self.find("#grid .status").text

    def shown(self):
        """Of each cell that is drawn: row, column, label, and whether it fits the filters."""
        return self.run(
            "return [...document.querySelectorAll('#grid tr[data-row] td')].map(cell => ({row: +cell.parentNode.dataset.row,"
            " column: cell.cellIndex - 1, label: cell.getAttribute('aria-label'), fits: !cell.classList.contains('apart')}))"
        )

    def link(self, cell):
        return fragment_of(cell_id(self.data, cell))

    def panel(self):
        return self.run(
            "const panel = document.getElementById('evidence'); return panel.hidden ? null : panel.querySelector('h2').textContent"
        )

    def unpacked(self):
        self.wait("!/^Unpacking/.test(document.querySelector('#evidence .body').textContent)")


def same(found, expected, what):
    assert found == expected, f"{what}: {found!r}, expected {expected!r}"


def starts(page):
    """The matrix replaces the table of the template, and shows the marks of the data."""
    data = page.data
    same(page.find("#grid").is_displayed(), True, "the matrix is shown")
    same(page.find("#static").is_displayed(), False, "the table of the template is shown")
    if len(data["columns"]) <= 60:
        assert page.status().startswith(f"{len(data['cells']['release']):,} cell"), page.status()
    page.run("document.querySelector('#controls input[type=checkbox]').click()")  # Without folding a row is a release.
    marks = {}
    for cell, (release, column) in enumerate(zip(data["cells"]["release"], data["cells"]["column"])):
        marks[release, column] = data["marks"][data["cells"]["mark"][cell]]["word"]
    order = columns_in_order(page)
    for cell in page.shown():
        expected = marks.get((cell["row"], order[cell["column"]]), "no such cell")
        assert cell["label"].startswith(expected), f"{cell}: expected {expected}"


def columns_in_order(page, outer=0, only=None):
    """The columns of the data as the matrix orders them."""
    axes = page.data["axes"]

    def values(column):
        of = page.data["columns"][column]
        return [
            axis["values"].index(of["python"] if index == 0 else of["variant"][axis["name"]])
            for index, axis in enumerate(axes)
        ]

    order = [outer] + [index for index in range(len(axes)) if index != outer]
    kept = [column for column in range(len(page.data["columns"])) if only is None or values(column)[only[0]] == only[1]]
    if len(page.data["columns"]) > 60 and only is None:
        kept = [column for column in kept if not any(values(column)[1:])]
    return sorted(kept, key=lambda column: [values(column)[index] for index in order])


def filters(page):
    """Outcome, text and cause each leave the cells that the data says, and the count is announced."""
    data, cells = page.data, page.data["cells"]
    columns = set(columns_in_order(page))
    inside = [cell for cell in range(len(cells["mark"])) if cells["column"][cell] in columns]
    words = sorted({data["marks"][cells["mark"][cell]]["word"] for cell in inside})
    for word in words:
        page.select("Outcome").select_by_value(word)
        expected = sum(data["marks"][cells["mark"][cell]]["word"] == word for cell in inside)
        assert page.status().startswith(f"{expected:,} of "), f"{word}: {page.status()}, expected {expected}"
        assert all(cell["label"].startswith(word) for cell in page.shown() if cell["fits"]), word
    page.select("Outcome").select_by_value("")
    search = page.find("#controls input[type=search]")
    same(page.find("#grid .status").get_attribute("aria-live"), "polite", "the count is announced")
    search.send_keys(f"{cell_id(data, inside[-1])}")
    assert page.status().startswith("1 of "), f"a cell by its id: {page.status()}"
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys("nothing has this text")
    same(page.find("#no-rows").is_displayed(), True, "no cell fits")
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys(Keys.DELETE)
    same(page.find("#no-rows").is_displayed(), False, "all cells fit again")
    buttons = page.all("#causes button")
    if buttons:
        cause = int(buttons[0].get_attribute("data-cause"))
        page.run("arguments[0].click()", buttons[0])
        expected = sum(cells["cause"][cell] == cause for cell in inside)
        assert page.status().startswith(f"{expected:,} of "), f"a cause: {page.status()}, expected {expected}"
        page.run("arguments[0].click()", buttons[0])


def switches(page):
    """Another test, other numbers, and other axes."""
    data, cells = page.data, page.data["cells"]
    tests = page.select("Test")
    order = columns_in_order(page)
    places = {(release, column): cell for cell, (release, column) in enumerate(zip(cells["release"], cells["column"]))}
    if tests:
        for number in range(min(len(data["tests"]), 5)):
            page.select("Test").select_by_value(str(number))
            for shown in page.shown():
                cell = places.get((shown["row"], order[shown["column"]]))
                mark = -1 if cell is None else cells["tests"][number][cell]
                expected = "no such cell" if mark < 0 else data["marks"][mark]["word"]
                assert shown["label"].startswith(expected), f"{data['tests'][number]}: {shown}, expected {expected}"
        page.select("Test").select_by_value("-1")
    for option in [option.get_attribute("value") for option in page.select("Show").options][1:]:
        page.select("Show").select_by_value(option)
        assert any(cell["label"][:1].isdigit() or cell["label"][:1] == "-" for cell in page.shown()), (
            f"numbers of {option}"
        )
    page.select("Show").select_by_value("mark")
    for index, axis in enumerate(data["axes"]):
        if len(axis["values"]) < 2:
            continue
        if len(data["axes"]) > 1:
            page.select("Columns by").select_by_value(str(index))
        page.select(axis["name"]).select_by_value("0")
        expected = len(columns_in_order(page, index, (index, 0)))
        if len(data["columns"]) <= 60:
            same(
                len({cell["column"] for cell in page.shown()}),
                expected,
                f"columns with {axis['name']} {axis['values'][0]}",
            )
        page.select(axis["name"]).select_by_value("-1")
    page.run(
        "[...document.querySelectorAll('#controls button')].find(button => button.textContent === 'Reset').click()"
    )
    same(page.select("Show").first_selected_option.get_attribute("value"), "mark", "after a reset")


def links(page):
    """A link opens a cell, Escape closes it, and the back button opens it again."""
    cell = interesting(page)[0]
    page.open(page.link(cell))
    page.unpacked()
    assert page.panel(), "the link opens no cell"
    same(page.run("return document.activeElement.id"), "evidence-title", "the focus is on the evidence")
    body = page.find("#evidence .body").text
    assert "caliper show" in body, "the evidence does not say how to see more"
    page.find("body").send_keys(Keys.ESCAPE)
    same(page.panel(), None, "after Escape")
    assert "cell=" not in page.driver.current_url
    page.driver.back()
    page.wait("!document.getElementById('evidence').hidden")
    page.open("#cell=no%2Fsuch%20cell")
    same(page.panel(), None, "a link to a cell that is not there")
    assert "no cell" in page.find("#problem").text


def interesting(page, most=12):
    """Some cells: of each mark the first and the last."""
    marks = page.data["cells"]["mark"]
    found = []
    for mark in sorted(set(marks), key=lambda mark: page.data["marks"][mark]["tone"] != "bad"):
        found += [marks.index(mark), len(marks) - 1 - marks[::-1].index(mark)]
    return list(dict.fromkeys(found))[:most]


def keyboard(page):
    """Arrows move, Enter opens, Escape closes and brings the focus back."""
    page.open()
    page.run("document.querySelector('#controls input[type=checkbox]').click()")
    same(len(page.all("#grid [tabindex='0']")), 1, "places of the grid that Tab reaches")
    page.run("document.querySelector('#grid [tabindex=\"0\"]').focus()")
    active = page.driver.switch_to.active_element
    active.send_keys(Keys.CONTROL, Keys.HOME)

    def at():
        return page.run(
            "const at = document.activeElement; return at.closest('tr[data-row]') ? [+at.parentNode.dataset.row, at.cellIndex - 1] : null"
        )

    same(at(), [0, 0], "after Control+Home")
    rows, columns = len(page.data["releases"]), len(columns_in_order(page))
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    same(at(), [min(1, rows - 1), min(1, columns - 1)], "after two arrows")
    page.driver.switch_to.active_element.send_keys(Keys.CONTROL, Keys.END)
    same(at(), [rows - 1, columns - 1], "after Control+End")
    same(
        page.run(
            "const box = document.activeElement.getBoundingClientRect(), frame = document.querySelector('#grid .frame').getBoundingClientRect();"
            "return box.bottom <= frame.bottom + 1 && box.top >= frame.top && box.right <= frame.right + 1"
        ),
        True,
        "the last cell is in view",
    )
    order, cells = columns_in_order(page), page.data["cells"]
    places = {(release, column): cell for cell, (release, column) in enumerate(zip(cells["release"], cells["column"]))}
    moves = 0
    while (rows - 1 - moves, order[-1]) not in places:
        page.driver.switch_to.active_element.send_keys(Keys.ARROW_UP)
        moves += 1
    expected = places[rows - 1 - moves, order[-1]]
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.unpacked()
    assert page.driver.current_url.endswith(page.link(expected)), (
        f"{page.driver.current_url}, expected {page.link(expected)}"
    )
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    same(page.panel(), None, "after Escape")
    same(at(), [rows - 1 - moves, columns - 1], "the focus is back")


def evidence(page):
    """Every part of some cells can be opened, and holds no error and no raw control character."""
    for cell in interesting(page):
        page.open(page.link(cell))
        page.unpacked()
        for _ in range(3):  # A part can hold parts.
            page.run("for (const part of document.querySelectorAll('#evidence details')) part.open = true")
            time.sleep(0.15)
        text = page.run("return document.getElementById('evidence').textContent")
        for bad in ("cannot be shown:", "[object", "undefined", "NaN", "\x1b", "\x07", "\u202e"):
            if bad in ("undefined", "NaN") and bad in str(page.run(f"return {evidence_source(cell)}")):
                continue
            assert bad not in text, (
                f"{cell_id(page.data, cell)} shows {bad!r}: …{text[max(0, text.find(bad) - 80) : text.find(bad) + 80]}…"
            )
        inert(page)


def evidence_source(_):
    """What tests themselves may have printed: then the word is theirs."""
    return "[...document.querySelectorAll('#evidence pre, #evidence .diff')].map(each => each.textContent).join('')"


# The elements that the page is made of.
NAMES = """
HTML HEAD META TITLE STYLE SCRIPT BODY A HEADER MAIN FOOTER NOSCRIPT SECTION DIV SPAN P B H1 H2 H3 UL OL LI DL DT DD CODE PRE
MARK ABBR TABLE THEAD TBODY TR TH TD COLGROUP COL LABEL SELECT OPTION INPUT BUTTON DETAILS SUMMARY FIELDSET LEGEND FIGURE
FIGCAPTION IMG CANVAS svg path line text g polygon
"""

INERT = """
const bad = [], names = new Set(arguments[0]);
for (const element of document.querySelectorAll('*')) {
    if (!names.has(element.tagName)) bad.push(`an element ${element.tagName}`);
    for (const {name, value} of element.attributes) {
        const leads = /^(href|src|action|formaction|xlink:href)$/i.test(name) && !/^(#|data:image\\/)/.test(value);
        if (/^on/i.test(name) || leads) bad.push(`${element.tagName} ${name}=${value}`);
    }
}
// The first is the data, the second is the page's own.
[...document.scripts].forEach((script, index) => {
    if (script.src || (index > 1 && script.className !== 'chunk')) bad.push('a script');
});
for (const box of document.querySelectorAll('#evidence pre, #evidence td, #evidence li')) {
    if (box.querySelector('b, script, img')) bad.push('an element in a text of a test');
}
return bad;
"""


def inert(page):
    """Nothing that came from a test became an element, a handler, or a link to elsewhere."""
    try:
        alert = page.driver.switch_to.alert
        raise AssertionError(f"a dialog opened: {alert.text}")
    except NoAlertPresentException:
        pass
    found = page.run(INERT, NAMES.split())
    assert not found, f"not inert: {found[:5]}"


def old_browser(page):
    """Without DecompressionStream the matrix works, and the page says why there is no evidence."""
    page.open()
    page.run("delete window.DecompressionStream")
    page.run("location.hash = arguments[0]", page.link(0))
    page.wait("document.querySelector('#evidence .bad')")
    assert "DecompressionStream" in page.find("#evidence .body").text
    page.find("body").send_keys(Keys.ESCAPE)


def plots(page):
    """Each number that was measured can be plotted, read by keyboard, and as a table."""
    page.open()
    page.run("document.getElementById('plot').scrollIntoView()")
    if page.run("return document.getElementById('plot').hidden"):
        assert (
            len(page.data["releases"]) < 2 or "passed" not in page.data["outcomes"] or not page.data["runs"]["cell"]
        ), "no plot"
        return
    page.wait("document.querySelector('#plot svg[role=img]')")
    for value in [option.get_attribute("value") for option in page.select("Number").options]:
        page.select("Number").select_by_value(value)
        svg = page.find("#plot svg[role=img]")
        assert page.run("return arguments[0].querySelector('.median').getAttribute('d').length", svg) > 2
        assert "NaN" not in page.run("return arguments[0].outerHTML", svg), f"plot of {value}"
        page.run("arguments[0].focus()", svg)
        svg.send_keys(Keys.END)
        assert page.find("#plot-read").text, "the numbers at a release"
    svg.send_keys(Keys.ENTER)
    page.unpacked()
    page.find("body").send_keys(Keys.ESCAPE)


def themes(page):
    """Light and dark can be chosen, and are kept."""

    def lightness():
        return sum(
            int(part)
            for part in page.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3)")
        )

    page.select("Theme").select_by_value("light")
    light = lightness()
    page.select("Theme").select_by_value("dark")
    assert lightness() < light - 300
    page.open()
    assert lightness() < light - 300, "the theme is not kept"
    page.select("Theme").select_by_value("auto")


def without_script(page):
    """The table of the template says the same without JavaScript."""
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    page.open()

    def node(selector):
        root = page.driver.execute_cdp_cmd("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
        return page.driver.execute_cdp_cmd("DOM.querySelectorAll", {"nodeId": root, "selector": selector})["nodeIds"]

    rows = node("#static tbody tr")
    assert rows, "no table"
    box = page.driver.execute_cdp_cmd("DOM.getBoxModel", {"nodeId": rows[0]})["model"]
    assert box["height"] > 5, "the table is not visible"
    same(len(node("#static thead th")), len(page.data["columns"]) + 1, "columns of the table")
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    page.open()


def narrow(page):
    """On a phone nothing but boxes that scroll is wider than the screen."""
    screen(page.driver, 390, 844, mobile=True)
    for fragment in ("", page.link(interesting(page)[0])):
        page.open(fragment)
        if fragment:
            page.unpacked()
        wide = page.run("return document.scrollingElement.scrollWidth")
        assert wide <= 390, f"the page is {wide} pixels wide"
    screen(page.driver, 1280, 800)
    page.open()


def axe_source():
    if "AXE" in os.environ:
        return Path(os.environ["AXE"]).read_text()
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None:
        sys.exit("axe-core is missing: pip install --no-deps axe-playwright-python, or name its file by AXE")
    return (Path(found.origin).parent / "axe.min.js").read_text()


def accessibility(page, axe):
    """axe-core finds nothing serious: in light and dark, with and without a cell, with numbers, and on a phone."""

    def look(where):
        page.run(axe)
        found = page.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']})"
            ".then(found => done(found.violations), error => done(String(error)))"
        )
        assert isinstance(found, list), found
        for each in found:
            node = each["nodes"][0]
            why = node["any"][0]["message"] if node["any"] else ""
            told = f"{each['impact']}: {each['id']}: {each['help']}: {node['html'][:160]} ({why[:200]})"
            assert each["impact"] not in ("serious", "critical"), f"{where}: {told}"
            print(f"  axe, {where}: {told}")

    for theme in ("light", "dark"):
        page.open()
        page.select("Theme").select_by_value(theme)
        page.run("document.getElementById('plot').scrollIntoView()")
        time.sleep(0.2)
        look(theme)
        page.select("Show").select_by_index(len(page.select("Show").options) - 1)
        look(f"{theme}, numbers")
        page.open(page.link(interesting(page)[0]))
        page.unpacked()
        page.run("for (const part of document.querySelectorAll('#evidence details')) part.open = true")
        time.sleep(0.3)
        look(f"{theme}, a cell")
    page.open()
    page.select("Theme").select_by_value("auto")


CHECKS = [
    starts,
    filters,
    switches,
    links,
    keyboard,
    evidence,
    inert,
    old_browser,
    plots,
    themes,
    narrow,
    without_script,
]


def check(path):
    """Runs all checks on one page. Returns the names of the checks that failed."""
    failed = []
    axe = axe_source()
    with chromium() as driver:
        page = Page(driver, path)
        for each in [*CHECKS, accessibility]:
            started = time.monotonic()
            try:
                each(page, axe) if each is accessibility else each(page)
                said = complaints(driver)
                assert not said, f"the browser complains: {said[:3]}"
                outside = [address for address in requests_of(driver) if is_outside(address, path)]
                assert not outside, f"requests to elsewhere: {outside[:3]}"
            except Exception as error:  # noqa: BLE001 - each check is to run, and each failure is told.
                failed.append(each.__name__)
                print(f"FAILED {each.__name__}: {error}")
                if not isinstance(error, AssertionError):
                    traceback.print_exc()
                complaints(driver), requests_of(driver)
            else:
                print(f"ok {each.__name__} ({time.monotonic() - started:.1f} s)")
    return failed


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    failed = {}
    for path in sys.argv[1:]:
        print(f"{path}: {Path(path).stat().st_size / 1e6:.2f} MB")
        if found := check(path):
            failed[path] = found
    if failed:
        sys.exit(f"failed: {failed}")


if __name__ == "__main__":
    main()
