"""Measures how fast report pages are: medians of five loads.

    python3 tests/browser/speed.py PAGE…

Prints for each page its bytes, the time until the first contents are painted, until the matrix can be used, and until the
whole file has been read, in milliseconds since it was asked for. Then for each kind of filter the time of the script, until
the next frame is painted, and the processor time of the page's main thread for both, which does not grow with what else
this machine does. Needs what `browser.py` needs.
"""

import os
import statistics
import sys
import time
from pathlib import Path

from browser import chromium, location

# Uses one filter, and waits for the frame that shows it.
FILTER = """
const done = arguments[arguments.length - 1], control = (selector) => document.querySelector(`#controls ${selector}`);
const by = (label) => [...document.querySelectorAll('#controls select')]
    .find(each => each.parentNode.firstChild.textContent === label);
// A message that is sent in the frame's callback arrives after the frame was painted.
const frame = () => new Promise(resolve => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(0);
}));
const type = (text) => () => {
    const search = control('input[type=search]');
    search.value = text;
    search.dispatchEvent(new Event('input'));
};
const choose = (label, which) => () => {
    const select = by(label);
    if (!select) return;
    select.selectedIndex = which < 0 ? select.options.length - 1 : which;
    select.dispatchEvent(new Event('change'));
};
const fold = () => control('input[type=checkbox]').click();
const acts = {
    'text': type('2'), 'pattern': type('2*/3*'), 'no text': type(''),
    'outcome': choose('Outcome', -1), 'any outcome': choose('Outcome', 0),
    'test': choose('Test', 1), 'all tests': choose('Test', 0),
    'numbers': choose('Show', 1), 'outcomes': choose('Show', 0),
    'unfold': fold, 'fold': fold,
};
(async () => {
    await frame();
    const start = performance.now();
    acts[arguments[0]]();
    const script = performance.now() - start;
    await frame();
    done([script, performance.now() - start]);
})();
"""

ACTS = [
    "text",
    "pattern",
    "no text",
    "outcome",
    "any outcome",
    "test",
    "all tests",
    "numbers",
    "outcomes",
    "unfold",
    "fold",
]

LOADED = """
const at = (name) => (performance.getEntriesByName(name)[0] || {startTime: null}).startTime;
const load = performance.getEntriesByType('navigation')[0].loadEventEnd;
return [at('first-contentful-paint'), at('caliper-interactive'), load];
"""


def busy(driver):
    """Processor time of the page's main thread so far, in milliseconds."""
    metrics = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return 1000 * next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def measure(driver, name):
    before = busy(driver)
    script, painted = driver.execute_async_script(FILTER, name)
    return script, painted, busy(driver) - before


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for path in sys.argv[1:]:
        loads, filters = [], []
        for _ in range(5):
            with chromium() as driver:
                driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
                driver.get(location(path))
                time.sleep(0.3)
                loads.append([*driver.execute_script(LOADED), busy(driver)])
                filters.append({name: measure(driver, name) for name in ACTS})
        paint, ready, load, work = (statistics.median(each[index] for each in loads) for index in range(4))
        print(f"{path}: {Path(path).stat().st_size:,} bytes")
        print(f"  first paint {paint:.0f} ms, usable {ready:.0f} ms, read {load:.0f} ms, processor {work:.0f} ms")
        for name in ACTS:
            script, painted, work = (statistics.median(each[name][index] for each in filters) for index in range(3))
            print(f"  {name}: script {script:.0f} ms, painted {painted:.0f} ms, processor {work:.0f} ms")


if __name__ == "__main__":
    main()
