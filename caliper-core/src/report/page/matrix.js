// The matrix: which cells are asked for, rows of neighbouring releases with equal marks, and only the rows in view as elements.

const view = { test: -1, show: "mark", outer: 0, only: axes.map(() => -1), word: "", cause: -1, text: "", fold: true };
const grid = document.getElementById("grid");
const changedCells = new Map();
for (const change of data.against ? data.against.changes : []) {
  if (change.cell >= 0) changedCells.set(change.cell, [...(changedCells.get(change.cell) || []), change]);
}

let shown = [];        // columns, in order
let rows = [];         // { first, last }: releases
let fits = null;       // of each cell, whether it is asked for
let unfolded = new Set();
let active = { row: 0, column: 0 };
let drawn = { from: 0, to: 0, height: 0 };
let openCell = -1;
let everything = false; // in print
let body, frame, table, statusLine;

const measureShown = () => measures.find((measure) => measure.key === view.show) || null;

function columnsAsked() {
  const order = [view.outer, ...axes.keys()].filter((axis, index, all) => all.indexOf(axis) === index);
  const asked = columns.map((_, column) => column)
    .filter((column) => view.only.every((value, axis) => value < 0 || axisValues[column][axis] === value));
  asked.sort((one, other) => {
    for (const axis of order) {
      const difference = axisValues[one][axis] - axisValues[other][axis];
      if (difference) return difference;
    }
    return one - other;
  });
  const varying = order.filter((axis) => new Set(asked.map((column) => axisValues[column][axis])).size > 1);
  return { asked, levels: varying.length ? varying : [0] };
}

// Whether each cell is asked for by the filters. A term fits if the release, column, mark, cause or a pattern of the id has it.
function fitting() {
  const fit = new Uint8Array(cellCount).fill(1);
  const exact = /\//.test(view.text) ? cellOf(view.text.trim()) : -1;
  const text = view.text.trim().toLowerCase(), said = [...causes.map((cause) => cause.text), ...marks.map((mark) => mark.word)];
  // Words that stand together somewhere are one term; others are several, which may be in different places.
  const isPhrase = /\s/.test(text) && said.some((each) => each.toLowerCase().includes(text));
  const terms = exact >= 0 || !text ? [] : isPhrase ? [text] : text.split(/\s+/);
  if (exact >= 0) { fit.fill(0); fit[exact] = 1; }
  if (view.word || view.cause >= 0) {
    for (let cell = 0; cell < cellCount; cell++) {
      const mark = markOf(cell, view.test);
      if (view.cause >= 0 && cells.cause[cell] !== view.cause) fit[cell] = 0;
      else if (view.word === "changed against") fit[cell] = changedCells.has(cell) ? 1 : 0;
      else if (view.word && (mark === null || marks[mark].word !== view.word)) fit[cell] = 0;
    }
  }
  for (const term of terms) {
    if (!isPhrase && /[*/[]/.test(term)) {
      const escaped = term.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*");
      const pattern = new RegExp(`^${escaped}${/[\]*]$/.test(term) ? "$" : ""}`);
      for (let cell = 0; cell < cellCount; cell++) if (fit[cell] && !pattern.test(idOf(cell).toLowerCase())) fit[cell] = 0;
      continue;
    }
    const has = (text) => text.toLowerCase().includes(term);
    const inRelease = releases.map((release) => release.toLowerCase().startsWith(term)), inColumn = columns.map((column) => has(column.label));
    const inMark = marks.map((mark) => has(mark.word) || mark.sign === term), inCause = causes.map((cause) => has(cause.text));
    for (let cell = 0; cell < cellCount; cell++) {
      const mark = markOf(cell, view.test), cause = cells.cause[cell];
      if (!(inRelease[cells.release[cell]] || inColumn[cells.column[cell]] || (mark !== null && inMark[mark]) || (cause >= 0 && inCause[cause]))) fit[cell] = 0;
    }
  }
  return fit;
}

const filtered = () => view.text !== "" || view.word !== "" || view.cause >= 0;

function layRows() {
  fits = fitting();
  rows = [];
  const folds = view.fold && view.show === "mark", filters = filtered(), width = shown.length;
  let matching = 0, total = 0, visibleReleases = 0, group = null, key = new Int32Array(width), before = new Int32Array(width);
  for (let release = 0; release < releases.length; release++) {
    let here = 0, equal = group !== null;
    for (let index = 0; index < width; index++) {
      const cell = cellAt(release, shown[index]);
      let code = -1;
      if (cell >= 0) {
        total++;
        const kind = kindOf(cell);
        here += kind & 1;
        code = kind;
      }
      key[index] = code;
      if (code !== before[index]) equal = false;
    }
    matching += here;
    if (filters && !here) { group = null; continue; }
    visibleReleases++;
    if (folds && equal) group.last = release;
    else rows.push(group = { first: release, last: release });
    [key, before] = [before, key];
  }
  if (unfolded.size) {
    rows = rows.flatMap((row) => unfolded.has(row.first) && row.last > row.first
      ? Array.from({ length: row.last - row.first + 1 }, (_, index) => ({ first: row.first + index, last: row.first + index, part: row }))
      : [row]);
  }
  statusLine.textContent = filters
    ? `${matching.toLocaleString("en")} of ${count(total, "cell")} in ${visibleReleases.toLocaleString("en")} of ${count(releases.length, "release")}`
    : `${count(total, "cell")}, ${count(releases.length, "release")}, ${count(width, "column")}`;
}

// All that decides how a cell looks, apart from numbers, as one number. Bit 0: it fits the filters.
function kindOf(cell) {
  const mark = view.test < 0 ? cells.mark[cell] : cells.tests[view.test][cell];
  return (mark + 1) * 4 + (changedCells.has(cell) ? 2 : 0) + (fits[cell] && mark >= 0 ? 1 : 0);
}

const labelOf = (row) => row.last > row.first ? `${line(releases[row.first])} … ${line(releases[row.last])}` : line(releases[row.first]);

// The cell that stands for a place in the matrix: of a folded row the newest release.
const cellIn = (row, column) => row && column >= 0 && column < shown.length ? cellAt(row.last, shown[column]) : -1;

// How long it took to fail says little, so such numbers are shown, but have no part in the scale.
function failing(cell) {
  const mark = markOf(cell, view.test);
  return mark === null || marks[mark].tone === "bad" || marks[mark].tone === "spurious";
}

function numberSteps() {
  const measure = measureShown();
  if (!measure) return null;
  const heat = heatOf(measure, view.test);
  let low = Infinity, high = -Infinity;
  for (const column of shown) {
    for (let release = 0; release < releases.length; release++) {
      const cell = cellAt(release, column);
      if (cell < 0 || Number.isNaN(heat[cell]) || failing(cell)) continue;
      low = Math.min(low, heat[cell]);
      high = Math.max(high, heat[cell]);
    }
  }
  const logarithmic = low > 0 && high / low > 20;
  const place = (value) => logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const step = (value) => high > low ? Math.min(6, Math.floor(place(value) * 7)) : 0;
  return { measure, heat, low, high, step, logarithmic };
}

let steps = null, stepsFor = "";

// Cells that look the same are copies of one element: that is several times faster than making each anew.
let patterns = new Map();

function pattern(kind) {
  if (patterns.has(kind)) return patterns.get(kind);
  const element = document.createElement("td"), mark = kind < 0 ? null : marks[(kind >> 2) - 1];
  patterns.set(kind, element);
  if (!mark) {
    element.className = "none";
    element.setAttribute("aria-label", "no such cell");
    return element;
  }
  element.className = `tone-${mark.tone}${mark.stale ? " stale" : ""}${kind & 1 ? "" : " apart"}${kind & 2 ? " changed" : ""}`;
  element.setAttribute("aria-label", `${mark.word}${mark.stale ? ", stale" : ""}${kind & 2 ? ", changed since the other results" : ""}`);
  element.textContent = mark.sign;
  return element;
}

function makeCell(cell) {
  const element = pattern(cell < 0 ? -1 : kindOf(cell)).cloneNode(true);
  if (cell === openCell && cell >= 0) element.classList.add("open");
  const value = steps && cell >= 0 ? steps.heat[cell] : NaN, mark = cell < 0 ? null : markOf(cell, view.test);
  if (Number.isNaN(value) || mark === null) return element;
  const { sign, word, tone, stale } = marks[mark], apart = element.classList.contains("apart");
  element.className = `number ${element.className.replace(/tone-\S+/, failing(cell) ? "failing" : `h${steps.step(value)}`)}`;
  if (apart) element.classList.add("apart");
  element.textContent = `${tone === "good" || stale ? "" : `${sign} `}${short(value)}`;
  element.setAttribute("aria-label", `${short(value)} ${steps.measure.unit}, ${word}`);
  return element;
}

function makeRow(row, rowIndex) {
  const label = labelOf(row), head = make("th", { scope: "row", title: label });
  if (row.last > row.first || (row.part && row.part.first === row.first)) {
    const open = !(row.last > row.first);
    head.append(make("button", { type: "button", class: "fold", tabindex: -1, "aria-expanded": String(open),
      "aria-label": `${open ? "Fold" : "Unfold"} ${labelOf(row.part || row)}` }, open ? "▾" : "▸"));
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
    const corner = make("th", { scope: "col" }, level === levelsShown.length - 1 && "release", make("span", { class: "axis" }, ` ${line(axes[axis].name)}`));
    const heads = [];
    for (let index = 0; index < shown.length;) {
      const same = (other) => levelsShown.slice(0, level + 1).every((each) => axisValues[shown[other]][each] === axisValues[shown[index]][each]);
      let end = index + 1;
      while (level < levelsShown.length - 1 && end < shown.length && same(end)) end++;
      const value = axes[axis].values[axisValues[shown[index]][axis]];
      const text = value === undefined ? "" : line(value);
      heads.push(make("th", { scope: end - index > 1 ? "colgroup" : "col", colspan: end - index, title: `${axes[axis].name} ${text}`,
        class: level < levelsShown.length - 1 ? "outer" : null }, text));
      index = end;
    }
    return make("tr", { "aria-rowindex": level + 1 }, corner, heads);
  });
  // The first column is as wide as the longest label can be, so that nothing moves while a filter is typed.
  const longestRelease = Math.max(...releases.map((release) => [...line(release)].length));
  const longestLabel = Math.max(view.fold && view.show === "mark" ? longestRelease * 2 + 8 + String(releases.length).length : longestRelease + 2, 10 + axes[levelsShown[levelsShown.length - 1]].name.length);
  const inner = levelsShown[levelsShown.length - 1];
  const signs = steps ? 8 : Math.max(shown.length > 16 ? 2 : 4, ...marks.map((mark) => [...mark.sign].length));
  const groupWidth = levelsShown.length > 1 ? Math.ceil(Math.max(...levelsShown.slice(0, -1).map((axis) => Math.max(...axes[axis].values.map((value) => value.length)))) / 2) : 0;
  const width = (column) => Math.max(signs, Math.min(11, (axes[inner].values[axisValues[column][inner]] || "").length), shown.length < 40 ? Math.min(groupWidth, 8) : 0);
  const widths = [Math.min(longestLabel, innerWidth < 600 ? 22 : 40), ...shown.map(width)];
  const group = make("colgroup", {}, widths.map((each) => { const column = make("col"); column.style.width = `calc(${each}ch + 1.2em)`; return column; }));
  const characters = widths.reduce((sum, each) => sum + each, 0);
  table.style.width = `calc(${characters}ch + ${(widths.length * 1.2).toFixed(1)}em)`;
  // A wide matrix is made smaller in print: a sheet holds about 74 em.
  table.style.setProperty("--print", Math.max(0.45, Math.min(1, 74 / (characters * 0.61 + widths.length * 1.2))).toFixed(2));
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
  let from = 0, to = rows.length;
  if (!all) {
    const top = Math.max(0, Math.floor(frame.scrollTop / height)), inView = Math.ceil((frame.clientHeight || 700) / height);
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
    if (real) { drawn.height = real; if (!all) drawRows(true); }
  }
  place(focused);
}

function elementAt(row, column) {
  const element = body.querySelector(`tr[data-row="${row}"]`);
  return element && element.cells[column + 1];
}

// The row and column of an element of the grid; column -1 is the release.
function positionOf(target) {
  const element = target.closest("td, th"), row = target.closest("tr[data-row]");
  return element && row ? { element, row: Number(row.dataset.row), column: element.cellIndex - 1 } : null;
}

// Exactly one cell of the grid can be reached by Tab: the active one, or else the first that is drawn.
function place(focus) {
  for (const element of body.querySelectorAll('[tabindex="0"]')) element.removeAttribute("tabindex");
  const element = elementAt(active.row, active.column) || elementAt(drawn.from, Math.min(active.column, shown.length - 1));
  if (!element) return;
  element.tabIndex = 0;
  if (focus) element.focus({ preventScroll: true });
}

function reveal(row, column, focus) {
  active = { row: Math.max(0, Math.min(rows.length - 1, row)), column: Math.max(-1, Math.min(shown.length - 1, column)) };
  const height = drawn.height || 26, head = table.tHead.getBoundingClientRect().height;
  const top = active.row * height, bottom = top + height + head + 2;
  if (top < frame.scrollTop) frame.scrollTop = top;
  else if (bottom > frame.scrollTop + frame.clientHeight) frame.scrollTop = bottom - frame.clientHeight;
  drawRows(false);
  place(focus);
  const element = elementAt(active.row, active.column);
  if (!element) return;
  const header = table.rows[table.tHead.rows.length] && elementAt(active.row, -1);
  const left = element.offsetLeft - (header ? header.offsetWidth : 0);
  if (active.column < 0 || left < frame.scrollLeft) frame.scrollLeft = Math.max(0, left);
  else if (element.offsetLeft + element.offsetWidth > frame.scrollLeft + frame.clientWidth) frame.scrollLeft = element.offsetLeft + element.offsetWidth - frame.clientWidth;
  if (focus && frame.getBoundingClientRect().height) element.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function placeOf(cell) {
  const row = rows.findIndex((each) => cells.release[cell] >= each.first && cells.release[cell] <= each.last);
  return { row, column: shown.indexOf(cells.column[cell]) };
}

function fold(rowIndex) {
  const row = rows[rowIndex], group = row && (row.part || row);
  if (!group || group.last === group.first) return;
  if (unfolded.has(group.first)) unfolded.delete(group.first); else unfolded.add(group.first);
  const focused = body.contains(document.activeElement);
  refresh();
  const at = rows.findIndex((each) => each.first === group.first);
  reveal(at, -1, focused);
}

function press(event) {
  const step = Math.max(1, Math.floor(frame.clientHeight / (drawn.height || 26)) - 2);
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-step, 0], PageDown: [step, 0] };
  if (event.altKey || event.metaKey) return;
  if (moves[event.key] && !event.ctrlKey) reveal(active.row + moves[event.key][0], active.column + moves[event.key][1], true);
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
  if (active.column < 0) { if (event.target.closest(".fold")) fold(active.row); return; }
  const cell = cellIn(rows[active.row], active.column);
  if (cell >= 0) go(cell, view.test, false);
}

// What a cell is, when the pointer is over it: only then, because most never are.
function hover(event) {
  const at = positionOf(event.target);
  if (!at || at.column < 0 || at.element.title) return;
  const { element } = at, cell = cellIn(rows[at.row], at.column);
  if (cell < 0) return;
  const cause = cells.cause[cell] >= 0 ? `\n${line(causes[cells.cause[cell]].text)}` : "";
  element.title = `${line(idOf(cell))}: ${element.getAttribute("aria-label")}${cause}${turns(cell).map((text) => `\n${text}`).join("")}`;
}

function refresh() {
  const { asked, levels } = columnsAsked();
  shown = asked;
  levelsShown = levels;
  const wanted = JSON.stringify([view.show, view.test, shown]);
  if (wanted !== stepsFor) steps = numberSteps();
  stepsFor = wanted;
  layRows();
  active = { row: Math.min(active.row, Math.max(0, rows.length - 1)), column: Math.min(active.column, shown.length - 1) };
  patterns = new Map();
  const focused = body.contains(document.activeElement), head = JSON.stringify([shown, levels, view.show, view.fold, innerWidth < 600]);
  if (head !== headDrawn) table.replaceChildren(...makeHead(), body);
  headDrawn = head;
  table.setAttribute("aria-rowcount", rows.length + levels.length);
  table.setAttribute("aria-colcount", shown.length + 1);
  frame.scrollTop = Math.min(frame.scrollTop, rows.length * (drawn.height || 26));
  drawRows(true);
  if (focused) place(true);
  document.getElementById("no-rows").hidden = rows.length > 0;
  showScale();
  showCauses();
}

function showScale() {
  const scale = document.getElementById("scale");
  scale.hidden = !steps || !(steps.high >= steps.low);
  if (scale.hidden) return;
  const { measure, low, high, logarithmic } = steps;
  const unit = measure.unit ? ` ${measure.unit}` : "";
  scale.replaceChildren(make("span", {}, `${measure.name}: ${short(low)}${unit}`), make("span", { "aria-hidden": "true" }, Array.from({ length: 7 }, (_, step) => make("span", { class: `step h${step}` }))),
    make("span", {}, `${short(high)}${unit}${logarithmic ? ", logarithmic" : ""}`),
    make("span", {}, view.test < 0 ? (measure.key === "memory" ? "largest of the tests' medians" : "sum of the tests' medians") : "median of the runs"));
}

function showCauses() {
  for (const button of document.querySelectorAll("#causes button")) button.setAttribute("aria-pressed", String(Number(button.dataset.cause) === view.cause));
}

// Buttons on the causes that the template has drawn. `page.causes` and `data.causes` have the same order.
function enliven() {
  [...document.querySelectorAll("#causes > li > .cause")].forEach((element, index) => {
    if (!causes[index] || !cells.cause.includes(index)) return;
    element.replaceWith(make("button", { type: "button", class: "cause", "data-cause": index, "aria-pressed": "false", title: "Show only the cells with this cause", onclick: () => {
      view.cause = view.cause === index ? -1 : index;
      refresh();
    } }, element.textContent));
  });
}

let searchBox;

function makeControls() {
  const change = (key, convert) => (value) => { view[key] = convert ? convert(value) : value; unfolded = new Set(); refresh(); };
  const words = [...new Set(marks.map((mark) => mark.word))].map((word) => [word, word]);
  if (changedCells.size) words.unshift(["changed against", "changed since the other results"]);
  const foldBox = check("Fold equal releases", view.fold, change("fold"));
  const all = [], rest = make("span");
  const main = make("div", { class: "controls" },
    tests.length > 1 && choice("Test", [[-1, "all tests, summed"], ...tests.map((test, index) => [index, test])], -1, (value) => { change("test", Number)(value); showTestInPlot(); }),
    choice("Show", [["mark", "outcome"], ...measures.map((measure) => [measure.key, measure.unit ? `${measure.name} (${measure.unit})` : measure.name])], "mark", (value) => {
      foldBox.firstChild.disabled = value !== "mark";
      change("show")(value);
    }),
    choice("Outcome", [["", "any"], ...words], "", change("word")),
    make("label", { class: "search" }, "Search", searchBox = make("input", { type: "search", placeholder: "release, Python, cause, 2.1*/3.9", autocomplete: "off", spellcheck: "false",
      oninput: () => { view.text = searchBox.value; refresh(); } })),
    foldBox, rest);
  if (axes.length > 1) {
    all.push(choice("Columns by", axes.map((axis, index) => [index, `${axis.name} first`]), 0, change("outer", Number)));
  }
  axes.forEach((axis, index) => {
    if (axis.values.length < 2) return;
    all.push(choice(line(axis.name), [[-1, "all"], ...axis.values.map((value, at) => [at, value])], view.only[index], (value) => { view.only[index] = Number(value); unfolded = new Set(); refresh(); }));
  });
  const reset = make("button", { type: "button", onclick: () => {
    Object.assign(view, { test: -1, show: "mark", outer: 0, only: axes.map(() => -1), word: "", cause: -1, text: "", fold: true });
    unfolded = new Set();
    makeControls();
    refresh();
  } }, "Reset");
  if (all.length) all.push(reset);
  else rest.replaceWith(reset);
  // On a narrow screen the matrix should not begin below the fold.
  const narrow = innerWidth < 600, axesRow = all.length ? [make("div", { class: "controls" }, all)] : [];
  document.getElementById("controls").replaceChildren(...(narrow
    ? [make("details", { class: "filters" }, make("summary", {}, "Choose and filter"), main, axesRow)] : [main, ...axesRow]));
}

function startMatrix() {
  // With very many columns the first value of the other axes is enough to begin with.
  if (columns.length > 60) axes.forEach((axis, index) => { if (index > 0) view.only[index] = 0; });
  statusLine = make("p", { class: "status", role: "status", "aria-live": "polite" });
  body = make("tbody");
  table = make("table", { class: "matrix", role: "grid", "aria-label": "Matrix of releases and Pythons. Arrow keys move, Enter opens the evidence." }, body);
  frame = make("div", { class: "frame", tabindex: -1 }, table);
  grid.replaceChildren(statusLine, frame, make("p", { id: "no-rows", class: "nothing", hidden: true }, "No cell fits the filters."), make("div", { id: "scale", class: "scale", hidden: true }));
  table.addEventListener("keydown", press);
  table.addEventListener("click", clickGrid);
  table.addEventListener("mouseover", hover);
  let asked = false;
  frame.addEventListener("scroll", () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; drawRows(false); });
  }, { passive: true });
  makeControls();
  enliven();
  document.getElementById("controls").hidden = false;
  grid.hidden = false;
  if (changedCells.size) document.querySelector("#matrix .legend").append(make("li", {}, make("b", {}, "◥"), " changed since the other results"));
  document.getElementById("static").hidden = true;
  refresh();
  addEventListener("resize", () => { drawn.height = 0; drawRows(true); });
  addEventListener("beforeprint", () => { everything = true; drawRows(true); });
  addEventListener("afterprint", () => { everything = false; drawRows(true); });
}
