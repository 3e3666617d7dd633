// The data of the page: reading it, unpacking its chunks when they are needed, and making its text safe to show.
//
// Everything here came from tests or from an index. It reaches the page as text nodes and attributes only, never as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const { releases, columns, axes, tests, marks, cells, runs, causes } = data;
const cellCount = cells.release.length;
for (const mark of marks) if (mark.stale) mark.sign = `(${mark.sign.replace(/^\((.*)\)$/, "$1")})`;

// The cell at a release and a column, or -1.
const places = new Int32Array(releases.length * columns.length).fill(-1);
for (let cell = 0; cell < cellCount; cell++) places[cells.release[cell] * columns.length + cells.column[cell]] = cell;
const cellAt = (release, column) => places[release * columns.length + column];

// Runs are sorted by cell: those of a cell begin at `firstRun[cell]`.
const firstRun = new Int32Array(cellCount + 1);
for (const cell of runs.cell) firstRun[cell + 1]++;
for (let cell = 0; cell < cellCount; cell++) firstRun[cell + 1] += firstRun[cell];

// Of each column, which value it has on each axis.
const axisValues = columns.map((column) =>
  axes.map((axis, index) => axis.values.indexOf(index === 0 ? column.python : (column.variant || {})[axis.name])),
);

function idOf(cell) {
  const column = columns[cells.column[cell]];
  const labels = axes
    .slice(1)
    .filter((axis) => axis.name in (column.variant || {}))
    .map((axis) => `${axis.name}=${column.variant[axis.name]}`);
  return `${releases[cells.release[cell]]}/${column.python}${labels.length ? `[${labels.join(",")}]` : ""}`;
}

let cellsById = null;
function cellOf(id) {
  if (!cellsById) {
    cellsById = new Map();
    for (let cell = 0; cell < cellCount; cell++) cellsById.set(idOf(cell), cell);
  }
  return cellsById.has(id) ? cellsById.get(id) : -1;
}

// The mark of a cell: summed if `test` is -1. `null` if the cell does not have that test.
function markOf(cell, test) {
  const mark = test < 0 ? cells.mark[cell] : cells.tests[test][cell];
  return mark < 0 ? null : mark;
}

// The evidence is in chunks of base64 and gzip. Few are opened, so few are unpacked, and the last ones are kept.
const unpacked = new Map();
const parsed = new Promise((resolve) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve, { once: true });
  else resolve();
});

async function chunk(number) {
  if (unpacked.has(number)) return unpacked.get(number);
  if (typeof DecompressionStream === "undefined") {
    throw new Error(
      "this browser cannot unpack the evidence (it has no DecompressionStream); a browser of 2023 or newer can",
    );
  }
  await parsed; // The chunks stand behind the script, so that the matrix need not wait for them.
  const element = document.getElementsByClassName("chunk")[number];
  if (!element) throw new Error("a part of this file is missing; it may not have been copied completely");
  const packed = Uint8Array.from(atob(element.textContent.trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const value = JSON.parse(await new Response(stream).text());
  unpacked.set(number, value);
  if (unpacked.size > 12) unpacked.delete(unpacked.keys().next().value);
  return value;
}

// The last of the sorted `starts` that is not after `number`.
function lastNotAfter(starts, number) {
  let low = 0,
    high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= number) low = middle;
    else high = middle - 1;
  }
  return low;
}

async function evidenceOf(cell) {
  const number = lastNotAfter(data.cell_chunks, cell);
  return (await chunk(number))[cell - data.cell_chunks[number]];
}

// A text or an image by its number. `null`: it was left out to keep the page small.
async function content(number) {
  if (number < 0) return null;
  const at = lastNotAfter(data.text_chunks, number);
  return (await chunk(data.cell_chunks.length + at))[number - data.text_chunks[at]];
}

// Escape sequences of terminals. An unfinished one loses only its introduction, so that it hides nothing.
const sequences =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b\n]*(?:\u0007|\u001b\\)|[PX^_][^\u001b\n]*\u001b\\|[ -/]*[0-Z\\^-~])|\u009b[0-?]*[ -/]*[@-~]/g;
const invisible = /[\p{Cc}\p{Cs}\p{Cf}\u2028\u2029]/gu;

function visible(character) {
  const code = character.codePointAt(0);
  if (code === 10 || code === 9 || code === 0x200c || code === 0x200d) return character;
  if (code < 32) return String.fromCharCode(0x2400 + code);
  if (code === 127) return "\u2421";
  return `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
}

// Text that can be shown, and how many escape sequences were taken out of it.
function plain(text) {
  let stripped = 0;
  const without = text.replace(/\r\n/g, "\n").replace(sequences, () => {
    stripped++;
    return "";
  });
  return { text: without.replace(invisible, visible), stripped };
}

// A name or a message as one line.
const line = (text) => plain(String(text)).text.replace(/[\n\t]+/g, " ");

// Numbers of a cell, by measure and test. Of a test the median of its runs counts; of all judged tests the sum of times, and
// the largest memory.
function median(numbers) {
  if (numbers.length < 2) return numbers.length ? numbers[0] : NaN;
  const sorted = Float64Array.from(numbers).sort(),
    middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : sorted[middle - 1] / 2 + sorted[middle] / 2;
}

const measures = [
  { key: "seconds", name: "time", unit: "s", values: runs.seconds },
  { key: "cpu", name: "processor time", unit: "s", values: runs.cpu },
  { key: "memory", name: "peak memory", unit: "MiB", values: runs.memory, scale: 1 / 1048576 },
  ...Object.keys(data.measures || {}).map((key) => ({
    key: `measure ${key}`,
    name: key,
    unit: "",
    reported: data.measures[key],
  })),
].filter((measure) =>
  measure.reported ? measure.reported.run.length : measure.values.some((value) => value !== null),
);

// The values of all runs as one array, with NaN where there is none.
function valuesOf(measure) {
  if (!measure.all) {
    const all = new Float64Array(runs.cell.length).fill(NaN);
    const scale = measure.scale || 1;
    if (measure.reported)
      measure.reported.run.forEach((run, index) => {
        all[run] = measure.reported.value[index] ?? NaN;
      });
    else
      for (let run = 0; run < all.length; run++)
        if (measure.values[run] !== null) all[run] = measure.values[run] * scale;
    measure.all = all;
  }
  return measure.all;
}

// The numbers of one test in one cell, from the runs that passed: how long a test took to fail says little.
const passed = data.outcomes.indexOf("passed");
function numbersOf(measure, cell, test) {
  const all = valuesOf(measure),
    found = [];
  for (let run = firstRun[cell]; run < firstRun[cell + 1]; run++) {
    if (runs.test[run] === test && runs.outcome[run] === passed && !Number.isNaN(all[run])) found.push(all[run]);
  }
  return found;
}

// One number for each cell, NaN where there is none.
function heatOf(measure, test) {
  const key = `heat ${test}`;
  if (measure[key]) return measure[key];
  const heat = new Float64Array(cellCount).fill(NaN);
  const all = valuesOf(measure);
  for (let cell = 0; cell < cellCount; cell++) {
    for (let run = firstRun[cell]; run < firstRun[cell + 1]; ) {
      const of = runs.test[run];
      let end = run;
      while (end < firstRun[cell + 1] && runs.test[end] === of) end++;
      if (test < 0 ? data.judged[of] : of === test) {
        const numbers = [];
        for (let at = run; at < end; at++) if (!Number.isNaN(all[at])) numbers.push(all[at]);
        const value = median(numbers);
        if (Number.isNaN(heat[cell])) heat[cell] = value;
        else if (!Number.isNaN(value))
          heat[cell] = measure.key === "memory" ? Math.max(heat[cell], value) : heat[cell] + value;
      }
      run = end;
    }
  }
  return (measure[key] = heat);
}

// Three digits, without an exponent where it can be avoided.
function short(number) {
  if (!Number.isFinite(number)) return String(number);
  const size = Math.abs(number);
  if (size === 0) return "0";
  if (size >= 1e7 || size < 1e-4) return number.toExponential(2);
  if (size >= 100) return Math.round(number).toLocaleString("en");
  return Number.isInteger(number) ? String(number) : number.toPrecision(3);
}

const count = (number, what, many) => `${number.toLocaleString("en")} ${number === 1 ? what : many || `${what}s`}`;
