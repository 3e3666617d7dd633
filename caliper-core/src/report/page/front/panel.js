// The panel with the evidence of one cell: opening and closing it, and its address.

const panel = document.getElementById("evidence");
let asking = 0; // the latest request, so that a slow one is not shown over a newer one
let cameFrom = null; // where the focus goes back to

const linkOf = (cell, test) =>
  `#cell=${encodeURIComponent(idOf(cell))}${test >= 0 ? `&test=${encodeURIComponent(tests[test])}` : ""}`;

// Opens a cell with an entry in the history, so that the back button closes it.
function go(cell, test, replace) {
  const link = linkOf(cell, test);
  try {
    if (replace) history.replaceState(null, "", link);
    else history.pushState(null, "", link);
    route();
  } catch {
    location.hash = link;
  }
}

function leave() {
  try {
    history.pushState(null, "", "#");
    route();
  } catch {
    location.hash = "";
  }
}

// What the address asks for.
function asked() {
  const parts = new Map(
    location.hash
      .replace(/^#/, "")
      .split("&")
      .map((each) => {
        const at = each.indexOf("=");
        try {
          return [each.slice(0, at), decodeURIComponent(each.slice(at + 1))];
        } catch {
          return ["", ""];
        }
      }),
  );
  return {
    id: parts.get("cell"),
    cell: parts.has("cell") ? cellOf(parts.get("cell")) : -1,
    test: tests.indexOf(parts.get("test")),
  };
}

function route() {
  const { id, cell, test } = asked();
  if (cell >= 0) show(cell, test);
  else {
    close();
    const problem = document.getElementById("problem");
    problem.hidden = id === undefined;
    if (id !== undefined) problem.textContent = `This page has no cell ${line(id)}.`;
  }
}

const chip = (mark) =>
  make(
    "span",
    { class: `chip tone-${mark.stale ? "dim" : mark.tone}` },
    make("span", { class: "mono" }, mark.sign),
    ` ${mark.word}`,
  );

// What changes at the release of a cell.
function turns(cell) {
  const [release, column] = [cells.release[cell], cells.column[cell]];
  return (data.transitions || [])
    .filter((each) => each.column === column && (each.from === release || each.to === release))
    .map((each) => line(`${tests[each.test]}: ${each.text}`));
}

function markOpen(cell) {
  openCell = cell;
  for (const element of grid.querySelectorAll("td.open")) element.classList.remove("open");
  if (cell < 0) return;
  const at = placeOf(cell);
  if (at.row < 0 || at.column < 0) return;
  reveal(at.row, at.column, false);
  const element = elementAt(at.row, at.column);
  if (element) element.classList.add("open");
}

function setBehind(inert) {
  for (const element of document.querySelectorAll("body > header, body > main, body > footer")) element.inert = inert;
}

function close() {
  if (panel.hidden) return;
  asking++;
  const last = openCell;
  panel.hidden = true;
  panel.replaceChildren();
  document.body.classList.remove("reading");
  setBehind(false);
  markOpen(-1);
  const at = last >= 0 ? placeOf(last) : { row: -1 };
  if (cameFrom && cameFrom !== document.body && document.contains(cameFrom) && !grid.contains(cameFrom))
    cameFrom.focus();
  else if (at.row >= 0 && at.column >= 0) reveal(at.row, at.column, true);
}

// The next cell in a direction, over places without one.
function neighbour(cell, down, right) {
  let release = cells.release[cell] + down,
    column = shown.indexOf(cells.column[cell]);
  if (column < 0) column = 0;
  column += right;
  while (release >= 0 && release < releases.length && column >= 0 && column < shown.length) {
    const found = cellAt(release, shown[column]);
    if (found >= 0) return found;
    release += down;
    column += right;
  }
  return -1;
}

function show(cell, test) {
  const request = ++asking;
  if (panel.hidden) cameFrom = document.activeElement;
  panel.hidden = false;
  document.body.classList.add("reading");
  // Where it covers everything, nothing behind it can be reached.
  setBehind(matchMedia("(max-width: 60rem)").matches);
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-labelledby", "evidence-title");
  const title = make("h2", { id: "evidence-title", tabindex: -1, class: "mono" }, line(idOf(cell)));
  const mark = marks[cells.mark[cell]],
    shownTest = test >= 0 ? test : view.test;
  const to = (name, symbol, down, right) => {
    const other = neighbour(cell, down, right);
    return make(
      "button",
      {
        type: "button",
        class: "small",
        disabled: other < 0,
        "aria-label": name,
        title: name,
        onclick: () => {
          go(other, test, true);
          const again = panel.querySelector(`[aria-label="${name}"]`);
          (again && !again.disabled ? again : panel.querySelector("h2")).focus();
        },
      },
      symbol,
    );
  };
  const head = make(
    "div",
    { class: "head" },
    make(
      "div",
      { class: "row" },
      title,
      make(
        "div",
        { class: "row" },
        to("Older release", "▲", -1, 0),
        to("Newer release", "▼", 1, 0),
        to("Column to the left", "◀", 0, -1),
        to("Column to the right", "▶", 0, 1),
        copies(new URL(linkOf(cell, test), location.href).href, "the link of this cell", null, "Copy link"),
        make("button", { type: "button", class: "small", onclick: leave, "aria-label": "Close the evidence" }, "Close"),
      ),
    ),
    make(
      "p",
      {},
      chip(mark),
      mark.stale && " stale: it answers an earlier question",
      cells.cause[cell] >= 0 && [" ", make("span", { class: "bad" }, line(causes[cells.cause[cell]].text))],
    ),
  );
  const content = make("div", { class: "body" }, make("p", { class: "note" }, "Unpacking …"));
  panel.replaceChildren(head, content);
  panel.scrollTop = 0;
  markOpen(cell);
  title.focus({ preventScroll: true });
  evidenceOf(cell)
    .then(async (evidence) => {
      const made = await evidenceBody(cell, evidence, shownTest);
      if (request === asking) content.replaceChildren(...there(made));
    })
    .catch((error) => {
      if (request === asking)
        content.replaceChildren(make("p", { class: "bad" }, `The evidence cannot be shown: ${error.message}.`));
    });
}
