// The matrix as elements: only the rows in view, and moving among them.

// Cells that look the same are copies of one element: that is several times faster than making each anew.
let patterns = new Map();

function pattern(kind) {
  if (patterns.has(kind)) return patterns.get(kind);
  const element = document.createElement("td"),
    mark = kind < 0 ? null : marks[(kind >> 2) - 1];
  patterns.set(kind, element);
  if (!mark) {
    element.className = "none";
    element.setAttribute("aria-label", "no such cell");
    return element;
  }
  element.className = `tone-${mark.tone}${mark.stale ? " stale" : ""}${kind & 1 ? "" : " apart"}${kind & 2 ? " changed" : ""}`;
  element.setAttribute(
    "aria-label",
    `${mark.word}${mark.stale ? ", stale" : ""}${kind & 2 ? ", changed since the other results" : ""}`,
  );
  element.textContent = mark.sign;
  return element;
}

function makeCell(cell) {
  const element = pattern(cell < 0 ? -1 : kindOf(cell)).cloneNode(true);
  if (cell === openCell && cell >= 0) element.classList.add("open");
  const value = steps && cell >= 0 ? steps.heat[cell] : NaN,
    mark = cell < 0 ? null : markOf(cell, view.test);
  if (Number.isNaN(value) || mark === null) return element;
  const { sign, word, tone, stale } = marks[mark],
    apart = element.classList.contains("apart");
  element.className = `number ${element.className.replace(/tone-\S+/, failing(cell) ? "failing" : `h${steps.step(value)}`)}`;
  if (apart) element.classList.add("apart");
  element.textContent = `${tone === "good" || stale ? "" : `${sign} `}${short(value)}`;
  element.setAttribute("aria-label", `${short(value)} ${steps.measure.unit}, ${word}`);
  return element;
}

function makeRow(row, rowIndex) {
  const label = labelOf(row),
    head = make("th", { scope: "row", title: label });
  if (row.last > row.first || (row.part && row.part.first === row.first)) {
    const open = !(row.last > row.first);
    head.append(
      make(
        "button",
        {
          type: "button",
          class: "fold",
          tabindex: -1,
          "aria-expanded": String(open),
          "aria-label": `${open ? "Fold" : "Unfold"} ${labelOf(row.part || row)}`,
        },
        open ? "▾" : "▸",
      ),
    );
  } else if (row.part) head.append(make("span", { class: "fold", "aria-hidden": "true" }, "\u00a0\u00a0"));
  head.append(label);
  if (row.last > row.first) head.append(make("span", { class: "count" }, ` (${row.last - row.first + 1})`));
  const element = make("tr", { "aria-rowindex": rowIndex + levelsShown.length + 1 }, head);
  element.dataset.row = rowIndex;
  for (const column of shown) element.append(makeCell(cellAt(row.last, column)));
  return element;
}

let levelsShown = [0];
let headDrawn = "";

function makeHead() {
  const lines = levelsShown.map((axis, level) => {
    const corner = make(
      "th",
      { scope: "col" },
      level === levelsShown.length - 1 && "release",
      make("span", { class: "axis" }, ` ${line(axes[axis].name)}`),
    );
    const heads = [];
    for (let index = 0; index < shown.length; ) {
      const same = (other) =>
        levelsShown
          .slice(0, level + 1)
          .every((each) => axisValues[shown[other]][each] === axisValues[shown[index]][each]);
      let end = index + 1;
      while (level < levelsShown.length - 1 && end < shown.length && same(end)) end++;
      const value = axes[axis].values[axisValues[shown[index]][axis]];
      const text = value === undefined ? "" : line(value);
      heads.push(
        make(
          "th",
          {
            scope: end - index > 1 ? "colgroup" : "col",
            colspan: end - index,
            title: `${axes[axis].name} ${text}`,
            class: level < levelsShown.length - 1 ? "outer" : null,
          },
          text,
        ),
      );
      index = end;
    }
    return make("tr", { "aria-rowindex": level + 1 }, corner, heads);
  });
  // The first column is as wide as the longest label can be, so that nothing moves while a filter is typed.
  const longestRelease = Math.max(...releases.map((release) => [...line(release)].length));
  const longestLabel = Math.max(
    view.fold && view.show === "mark" ? longestRelease * 2 + 8 + String(releases.length).length : longestRelease + 2,
    10 + axes[levelsShown[levelsShown.length - 1]].name.length,
  );
  const inner = levelsShown[levelsShown.length - 1];
  const signs = steps ? 8 : Math.max(shown.length > 16 ? 2 : 4, ...marks.map((mark) => [...mark.sign].length));
  const groupWidth =
    levelsShown.length > 1
      ? Math.ceil(
          Math.max(
            ...levelsShown.slice(0, -1).map((axis) => Math.max(...axes[axis].values.map((value) => value.length))),
          ) / 2,
        )
      : 0;
  const width = (column) =>
    Math.max(
      signs,
      Math.min(11, (axes[inner].values[axisValues[column][inner]] || "").length),
      shown.length < 40 ? Math.min(groupWidth, 8) : 0,
    );
  const widths = [Math.min(longestLabel, innerWidth < 600 ? 22 : 40), ...shown.map(width)];
  const group = make(
    "colgroup",
    {},
    widths.map((each) => {
      const column = make("col");
      column.style.width = `calc(${each}ch + 1.2em)`;
      return column;
    }),
  );
  const characters = widths.reduce((sum, each) => sum + each, 0);
  table.style.width = `calc(${characters}ch + ${(widths.length * 1.2).toFixed(1)}em)`;
  // A wide matrix is made smaller in print: a sheet holds about 74 em.
  table.style.setProperty(
    "--print",
    Math.max(0.45, Math.min(1, 74 / (characters * 0.61 + widths.length * 1.2))).toFixed(2),
  );
  return [group, make("thead", {}, lines)];
}

const spacer = (height) => {
  const cell = make("td", { colspan: shown.length + 1, class: "none" });
  cell.style.cssText = `height:${height}px;padding:0;border:0`;
  return make("tr", { "aria-hidden": "true" }, cell);
};

// Draws the rows in view and some more. With few rows it draws all of them.
function drawRows(force) {
  const height = drawn.height || 26;
  const all = everything || rows.length <= 80;
  let from = 0,
    to = rows.length;
  if (!all) {
    const top = Math.max(0, Math.floor(frame.scrollTop / height)),
      inView = Math.ceil((frame.clientHeight || 700) / height);
    if (!force && top >= drawn.from && top + inView <= drawn.to && drawn.to <= rows.length) return;
    from = Math.max(0, top - 6);
    to = Math.min(rows.length, top + inView + 6);
  }
  const focused = body.contains(document.activeElement);
  const made = [];
  if (from > 0) made.push(spacer(from * height));
  for (let index = from; index < to; index++) made.push(makeRow(rows[index], index));
  if (to < rows.length) made.push(spacer((rows.length - to) * height));
  body.replaceChildren(...made);
  drawn = { from, to, height: drawn.height };
  if (!drawn.height && to > from) {
    const real = body.querySelector("tr[data-row]").getBoundingClientRect().height;
    if (real) {
      drawn.height = real;
      if (!all) drawRows(true);
    }
  }
  place(focused);
}

function elementAt(row, column) {
  const element = body.querySelector(`tr[data-row="${row}"]`);
  return element && element.cells[column + 1];
}

// The row and column of an element of the grid; column -1 is the release.
function positionOf(target) {
  const element = target.closest("td, th"),
    row = target.closest("tr[data-row]");
  return element && row ? { element, row: Number(row.dataset.row), column: element.cellIndex - 1 } : null;
}

// Exactly one cell of the grid can be reached by Tab: the active one, or else the first that is drawn.
function place(focus) {
  for (const element of body.querySelectorAll('[tabindex="0"]')) element.removeAttribute("tabindex");
  const element =
    elementAt(active.row, active.column) || elementAt(drawn.from, Math.min(active.column, shown.length - 1));
  if (!element) return;
  element.tabIndex = 0;
  if (focus) element.focus({ preventScroll: true });
}

function reveal(row, column, focus) {
  active = {
    row: Math.max(0, Math.min(rows.length - 1, row)),
    column: Math.max(-1, Math.min(shown.length - 1, column)),
  };
  const height = drawn.height || 26,
    head = table.tHead.getBoundingClientRect().height;
  const top = active.row * height,
    bottom = top + height + head + 2;
  if (top < frame.scrollTop) frame.scrollTop = top;
  else if (bottom > frame.scrollTop + frame.clientHeight) frame.scrollTop = bottom - frame.clientHeight;
  drawRows(false);
  place(focus);
  const element = elementAt(active.row, active.column);
  if (!element) return;
  const header = table.rows[table.tHead.rows.length] && elementAt(active.row, -1);
  const left = element.offsetLeft - (header ? header.offsetWidth : 0);
  if (active.column < 0 || left < frame.scrollLeft) frame.scrollLeft = Math.max(0, left);
  else if (element.offsetLeft + element.offsetWidth > frame.scrollLeft + frame.clientWidth)
    frame.scrollLeft = element.offsetLeft + element.offsetWidth - frame.clientWidth;
  if (focus && frame.getBoundingClientRect().height) element.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function placeOf(cell) {
  const row = rows.findIndex((each) => cells.release[cell] >= each.first && cells.release[cell] <= each.last);
  return { row, column: shown.indexOf(cells.column[cell]) };
}

function fold(rowIndex) {
  const row = rows[rowIndex],
    group = row && (row.part || row);
  if (!group || group.last === group.first) return;
  if (unfolded.has(group.first)) unfolded.delete(group.first);
  else unfolded.add(group.first);
  const focused = body.contains(document.activeElement);
  refresh();
  const at = rows.findIndex((each) => each.first === group.first);
  reveal(at, -1, focused);
}

function press(event) {
  const step = Math.max(1, Math.floor(frame.clientHeight / (drawn.height || 26)) - 2);
  const moves = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    PageUp: [-step, 0],
    PageDown: [step, 0],
  };
  if (event.altKey || event.metaKey) return;
  if (moves[event.key] && !event.ctrlKey)
    reveal(active.row + moves[event.key][0], active.column + moves[event.key][1], true);
  else if (event.key === "Home") reveal(event.ctrlKey ? 0 : active.row, event.ctrlKey ? 0 : -1, true);
  else if (event.key === "End") reveal(event.ctrlKey ? rows.length - 1 : active.row, shown.length - 1, true);
  else if (event.key === "Enter" || event.key === " ") {
    if (active.column < 0) fold(active.row);
    else {
      const cell = cellIn(rows[active.row], active.column);
      if (cell >= 0) go(cell, view.test, false);
    }
  } else return;
  event.preventDefault();
}

function clickGrid(event) {
  const at = positionOf(event.target);
  if (!at) return;
  active = { row: at.row, column: at.column };
  place(true);
  if (active.column < 0) {
    if (event.target.closest(".fold")) fold(active.row);
    return;
  }
  const cell = cellIn(rows[active.row], active.column);
  if (cell >= 0) go(cell, view.test, false);
}

// What a cell is, when the pointer is over it: only then, because most never are.
function hover(event) {
  const at = positionOf(event.target);
  if (!at || at.column < 0 || at.element.title) return;
  const { element } = at,
    cell = cellIn(rows[at.row], at.column);
  if (cell < 0) return;
  const cause = cells.cause[cell] >= 0 ? `\n${line(causes[cells.cause[cell]].text)}` : "";
  element.title = `${line(idOf(cell))}: ${element.getAttribute("aria-label")}${cause}${turns(cell)
    .map((text) => `\n${text}`)
    .join("")}`;
}
