// What is asked of the matrix: columns, filters, rows of neighbouring releases with equal marks, and the scale of numbers.

const view = { test: -1, show: "mark", outer: 0, only: axes.map(() => -1), word: "", cause: -1, text: "", fold: true };
const grid = document.getElementById("grid");
const changedCells = new Map();
for (const change of data.against ? data.against.changes : []) {
  if (change.cell >= 0) changedCells.set(change.cell, [...(changedCells.get(change.cell) || []), change]);
}

let shown = []; // columns, in order
let rows = []; // { first, last }: releases
let fits = null; // of each cell, whether it is asked for
let unfolded = new Set();
let active = { row: 0, column: 0 };
let drawn = { from: 0, to: 0, height: 0 };
let openCell = -1;
let everything = false; // in print
let body, frame, table, statusLine;

const measureShown = () => measures.find((measure) => measure.key === view.show) || null;

function columnsAsked() {
  const order = [view.outer, ...axes.keys()].filter((axis, index, all) => all.indexOf(axis) === index);
  const asked = columns
    .map((_, column) => column)
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
  const text = view.text.trim().toLowerCase(),
    said = [...causes.map((cause) => cause.text), ...marks.map((mark) => mark.word)];
  // Words that stand together somewhere are one term; others are several, which may be in different places.
  const isPhrase = /\s/.test(text) && said.some((each) => each.toLowerCase().includes(text));
  const terms = exact >= 0 || !text ? [] : isPhrase ? [text] : text.split(/\s+/);
  if (exact >= 0) {
    fit.fill(0);
    fit[exact] = 1;
  }
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
      for (let cell = 0; cell < cellCount; cell++)
        if (fit[cell] && !pattern.test(idOf(cell).toLowerCase())) fit[cell] = 0;
      continue;
    }
    const has = (text) => text.toLowerCase().includes(term);
    const inRelease = releases.map((release) => release.toLowerCase().startsWith(term)),
      inColumn = columns.map((column) => has(column.label));
    const inMark = marks.map((mark) => has(mark.word) || mark.sign === term),
      inCause = causes.map((cause) => has(cause.text));
    for (let cell = 0; cell < cellCount; cell++) {
      const mark = markOf(cell, view.test),
        cause = cells.cause[cell];
      if (
        !(
          inRelease[cells.release[cell]] ||
          inColumn[cells.column[cell]] ||
          (mark !== null && inMark[mark]) ||
          (cause >= 0 && inCause[cause])
        )
      )
        fit[cell] = 0;
    }
  }
  return fit;
}

const filtered = () => view.text !== "" || view.word !== "" || view.cause >= 0;

function layRows() {
  fits = fitting();
  rows = [];
  const folds = view.fold && view.show === "mark",
    filters = filtered(),
    width = shown.length;
  let matching = 0,
    total = 0,
    visibleReleases = 0,
    group = null,
    key = new Int32Array(width),
    before = new Int32Array(width);
  for (let release = 0; release < releases.length; release++) {
    let here = 0,
      equal = group !== null;
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
    if (filters && !here) {
      group = null;
      continue;
    }
    visibleReleases++;
    if (folds && equal) group.last = release;
    else rows.push((group = { first: release, last: release }));
    [key, before] = [before, key];
  }
  if (unfolded.size) {
    rows = rows.flatMap((row) =>
      unfolded.has(row.first) && row.last > row.first
        ? Array.from({ length: row.last - row.first + 1 }, (_, index) => ({
            first: row.first + index,
            last: row.first + index,
            part: row,
          }))
        : [row],
    );
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

const labelOf = (row) =>
  row.last > row.first ? `${line(releases[row.first])} … ${line(releases[row.last])}` : line(releases[row.first]);

// The cell that stands for a place in the matrix: of a folded row the newest release.
const cellIn = (row, column) => (row && column >= 0 && column < shown.length ? cellAt(row.last, shown[column]) : -1);

// How long it took to fail says little, so such numbers are shown, but have no part in the scale.
function failing(cell) {
  const mark = markOf(cell, view.test);
  return mark === null || marks[mark].tone === "bad" || marks[mark].tone === "spurious";
}

function numberSteps() {
  const measure = measureShown();
  if (!measure) return null;
  const heat = heatOf(measure, view.test);
  let low = Infinity,
    high = -Infinity;
  for (const column of shown) {
    for (let release = 0; release < releases.length; release++) {
      const cell = cellAt(release, column);
      if (cell < 0 || Number.isNaN(heat[cell]) || failing(cell)) continue;
      low = Math.min(low, heat[cell]);
      high = Math.max(high, heat[cell]);
    }
  }
  const logarithmic = low > 0 && high / low > 20;
  const place = (value) => (logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
  const step = (value) => (high > low ? Math.min(6, Math.floor(place(value) * 7)) : 0);
  return { measure, heat, low, high, step, logarithmic };
}

let steps = null,
  stepsFor = "";
