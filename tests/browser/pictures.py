"""Takes pictures of a report page: what a reader sees first, dark, on a phone, printed, of a cell, and of a plot.

    python3 tests/browser/pictures.py PAGE OUTDIR [CELL]

CELL is the id of the cell to show; by default one that fails or differs. Needs what `browser.py` needs. With `pdftoppm`
(Debian: poppler-utils) the first printed sheet becomes a picture too.
"""

import base64
import shutil
import subprocess
import sys
import time
from pathlib import Path

from browser import DATA, cell_id, chromium, fragment_of, location, picture, screen


def telling(data):
    """A cell that a reader would open: different, else failing, else the last."""
    tones = [data["marks"][mark]["tone"] for mark in data["cells"]["mark"]]
    for tone in ("notable", "bad"):
        if tone in tones:
            return cell_id(data, len(tones) - 1 - tones[::-1].index(tone))
    return cell_id(data, len(tones) - 1)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    page, folder = location(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)

    def show(driver, fragment=""):
        driver.get("about:blank")
        driver.get(page + fragment)
        time.sleep(1)

    with chromium() as driver:
        show(driver)
        picture(driver, folder / "first.png")
        data = driver.execute_script(DATA)
        cell = fragment_of(sys.argv[3] if len(sys.argv) > 3 else telling(data))
        driver.execute_script("document.getElementById('plot').scrollIntoView({block: 'end'})")
        time.sleep(0.5)
        driver.execute_script("document.getElementById('plot').scrollIntoView({block: 'end'})")
        picture(driver, folder / "plot.png")
        driver.execute_script(
            "scrollTo(0, 0);"
            "const show = document.querySelector('#controls option[value=mark]').parentNode;"
            "show.selectedIndex = 1; show.dispatchEvent(new Event('change'))"
        )
        picture(driver, folder / "numbers.png")
        screen(driver, 1280, 1000)
        show(driver, cell)
        picture(driver, folder / "cell.png")
        screen(driver, 390, 844, mobile=True)
        show(driver)
        picture(driver, folder / "phone.png")
        show(driver, cell)
        picture(driver, folder / "phone-cell.png")
        screen(driver, 1280, 800)
        show(driver)
        sheets = base64.b64decode(
            driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False, "preferCSSPageSize": False})["data"]
        )
        (folder / "printed.pdf").write_bytes(sheets)
        if shutil.which("pdftoppm"):
            subprocess.run(
                [
                    "pdftoppm",
                    "-png",
                    "-r",
                    "80",
                    "-f",
                    "1",
                    "-l",
                    "1",
                    "-singlefile",
                    folder / "printed.pdf",
                    folder / "printed",
                ],
                check=True,
            )
    with chromium(dark=True) as driver:
        show(driver)
        picture(driver, folder / "dark.png")
        screen(driver, 1280, 1000)
        show(driver, cell)
        picture(driver, folder / "dark-cell.png")
    print("\n".join(sorted(str(path) for path in folder.iterdir())))


if __name__ == "__main__":
    main()
