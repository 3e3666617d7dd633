// Numbers along the releases: a line through the medians, the noise as whiskers or a band, and a dot for each run.

const plotView = { measure: null, test: 0, series: [], zero: false, others: false };
const plotSection = document.getElementById("plot");
const palette = 8,
  mostDots = 4000,
  mostWhiskers = 80;
const dashes = ["", "7 3", "2 3", "9 3 2 3", "4 2", "12 4", "1 2", "6 2 1 2 1 2"];
const shapes = [
  (x, y) => `M${x - 3.5} ${y}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z`,
  (x, y) => `M${x - 3} ${y - 3}h6v6h-6z`,
  (x, y) => `M${x} ${y - 4}l4 7h-8z`,
  (x, y) => `M${x} ${y - 4.5}l4.5 4.5l-4.5 4.5l-4.5 -4.5z`,
];
let points = []; // of the shown series: { column, at: [{ release, values, median, low, high }] }
let domain = []; // releases with a number
let cursor = -1; // index into the domain
const plotDrawn = { holder: null };

// Tests with numbers of a measure, and per test the columns that have them.
function holders(measure) {
  if (!measure.holders) {
    measure.holders = new Map();
    const all = valuesOf(measure);
    for (let run = 0; run < all.length; run++) {
      if (Number.isNaN(all[run]) || runs.outcome[run] !== passed) continue;
      if (!measure.holders.has(runs.test[run])) measure.holders.set(runs.test[run], new Set());
      measure.holders.get(runs.test[run]).add(cells.column[runs.cell[run]]);
    }
  }
  return measure.holders;
}

function seriesOf(measure, test, column) {
  const at = [];
  for (let release = 0; release < releases.length; release++) {
    const cell = cellAt(release, column);
    if (cell < 0) continue;
    const values = numbersOf(measure, cell, test);
    if (values.length)
      at.push({ release, cell, values, median: median(values), low: Math.min(...values), high: Math.max(...values) });
  }
  return { column, at };
}

// Round steps for an axis: 1, 2 or 5 times a power of ten.
function ticks(low, high, most) {
  const rough = (high - low) / most || 1,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power,
    found = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) found.push(index * step);
  return { found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function describe(measure) {
  const unit = measure.unit ? ` ${measure.unit}` : "";
  return points
    .map(({ column, at }) => {
      if (!at.length) return `${columns[column].label}: no numbers`;
      let jump = null;
      for (let index = 1; index < at.length; index++) {
        const size = Math.abs(at[index].median - at[index - 1].median);
        if (!jump || size > jump.size) jump = { size, from: at[index - 1], to: at[index] };
      }
      const ends = `${columns[column].label}: ${short(at[0].median)}${unit} at ${releases[at[0].release]}, ${short(at[at.length - 1].median)}${unit} at ${releases[at[at.length - 1].release]}`;
      return jump && jump.size > 0
        ? `${ends}; largest step between ${releases[jump.from.release]} and ${releases[jump.to.release]}: ${short(jump.from.median)} to ${short(jump.to.median)}${unit}`
        : ends;
    })
    .map(line)
    .join(". ");
}

function drawPlot() {
  const measure = plotView.measure,
    holder = plotDrawn.holder;
  points = plotView.series.map((column) => seriesOf(measure, plotView.test, column));
  domain = [...new Set(points.flatMap(({ at }) => at.map(({ release }) => release)))].sort((one, other) => one - other);
  if (!domain.length) {
    holder.replaceChildren(make("p", { class: "note" }, "No numbers for this choice."));
    return;
  }
  let low = Infinity,
    high = -Infinity,
    runCount = 0;
  for (const { at } of points)
    for (const point of at) {
      low = Math.min(low, point.low);
      high = Math.max(high, point.high);
      runCount += point.values.length;
    }
  if (!Number.isFinite((high - low) * 1.2)) {
    holder.replaceChildren(
      make("p", { class: "note" }, "These numbers are too far apart to be drawn; the table below has them."),
    );
    plotTable(measure);
    return;
  }
  if (plotView.zero) {
    low = Math.min(0, low);
    high = Math.max(0, high);
  }
  if (high === low) {
    const margin = Math.abs(high) * 0.1 || 1;
    high += margin;
    low -= margin;
  } else {
    const margin = (high - low) * 0.06;
    high += margin;
    if (low !== 0 || !plotView.zero) low -= margin;
  }
  const width = Math.max(300, holder.clientWidth),
    height = width < 500 ? 240 : 300,
    left = 68,
    right = 14,
    top = 22,
    bottom = 34;
  const x = (index) =>
    domain.length === 1
      ? (left + width - right) / 2
      : left + 8 + (index * (width - right - left - 16)) / (domain.length - 1);
  const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - top - bottom);
  const place = new Map(domain.map((release, index) => [release, index]));
  const { found, digits } = ticks(low, high, 5);
  const tickText = (value) =>
    Math.abs(value) >= 1e6 || digits > 5
      ? value.toExponential(2)
      : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const axis = [draw("text", { x: 4, y: 12 }, `${line(measure.name)}${measure.unit ? ` (${measure.unit})` : ""}`)];
  for (const value of found) {
    axis.push(
      draw("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, tickText(value)),
    );
  }
  const labelWidth = Math.max(...domain.map((release) => releases[release].length)) * 7 + 14;
  const every = Math.max(1, Math.ceil((domain.length * labelWidth) / (width - left - right)));
  domain.forEach((release, index) => {
    const last = index === domain.length - 1;
    if (!last && (index % every || index > domain.length - 1 - every)) return;
    axis.push(
      draw("line", { class: "axis", x1: x(index), x2: x(index), y1: height - bottom, y2: height - bottom + 4 }),
      draw(
        "text",
        {
          x: Math.min(x(index), width - 4 - releases[release].length * 3.2),
          y: height - bottom + 17,
          "text-anchor": "middle",
        },
        line(releases[release]),
      ),
    );
  });
  const shapesOf = points.map((series, index) =>
    drawSeries(series, index, (release) => x(place.get(release)), y, place, runCount),
  );
  const cross = draw("line", { class: "cross", y1: top, y2: height - bottom, visibility: "hidden" });
  const svg = draw(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      height,
      role: "img",
      tabindex: 0,
      "aria-describedby": "plot-read",
      "aria-label": `${line(measure.name)} of ${line(tests[plotView.test])} along ${count(domain.length, "release")}. ${describe(measure)}`,
    },
    axis,
    shapesOf,
    cross,
  );
  svg.addEventListener("pointermove", (event) => {
    const at = ((event.clientX - svg.getBoundingClientRect().left) * width) / svg.getBoundingClientRect().width;
    moveCursor(Math.round((at - left - 8) / ((width - right - left - 16) / Math.max(1, domain.length - 1))), cross, x);
  });
  svg.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (move !== undefined) moveCursor(Math.max(0, cursor) + move, cross, x);
    else if (event.key === "Enter") openAtCursor();
    else return;
    event.preventDefault();
  });
  svg.addEventListener("click", openAtCursor);
  holder.replaceChildren(svg);
  const noise = runCount > points.reduce((sum, { at }) => sum + at.length, 0);
  document.getElementById("plot-note").textContent =
    `The line goes through the median of the runs${noise ? `; the ${domain.length > mostWhiskers ? "band reaches" : "whiskers reach"} from the lowest to the highest run` : "; each has a single run, so its noise is not known"}${runCount > mostDots ? "" : "; each dot is a run"}. Only runs that passed are shown. A click opens the cell.`;
  plotTable(measure);
}

// Points of neighbouring releases: line and band are broken where a release in between has no number in this column.
function stretches(at, place) {
  const found = [];
  let before = -2;
  for (const point of at) {
    const here = place.get(point.release);
    if (here !== before + 1) found.push([]);
    found[found.length - 1].push(point);
    before = here;
  }
  return found;
}

function drawSeries({ at }, index, x, y, place, runCount) {
  const shape = shapes[index % shapes.length],
    parts = [];
  if (domain.length > mostWhiskers) {
    const edge = (key, list) => list.map((point) => `${x(point.release).toFixed(1)},${y(point[key]).toFixed(1)}`);
    for (const stretch of stretches(at, place)) {
      parts.push(
        draw("polygon", {
          class: "band",
          points: [...edge("high", stretch), ...edge("low", [...stretch].reverse())].join(" "),
        }),
      );
    }
  } else {
    parts.push(
      draw("path", {
        class: "noise",
        fill: "none",
        d: at
          .filter((point) => point.high > point.low)
          .map((point) => {
            const middle = x(point.release),
              [high, low] = [y(point.high), y(point.low)];
            return `M${middle} ${high}V${low}M${middle - 3} ${high}h6M${middle - 3} ${low}h6`;
          })
          .join(""),
      }),
    );
  }
  if (runCount <= mostDots) {
    parts.push(
      draw("path", {
        class: "dot",
        d: at
          .flatMap((point) =>
            point.values.length > 1
              ? point.values.map(
                  (value) =>
                    `M${(x(point.release) - 1.5).toFixed(1)} ${y(value).toFixed(1)}a1.5 1.5 0 1 0 3 0a1.5 1.5 0 1 0 -3 0z`,
                )
              : [],
          )
          .join(""),
      }),
    );
  }
  const lineOf = stretches(at, place)
    .map(
      (stretch) =>
        `M${stretch.map((point) => `${x(point.release).toFixed(1)} ${y(point.median).toFixed(1)}`).join("L")}`,
    )
    .join("");
  parts.push(draw("path", { class: "median", d: lineOf, "stroke-dasharray": dashes[index % dashes.length] || null }));
  if (domain.length <= 150)
    parts.push(
      draw("path", { class: "center", d: at.map((point) => shape(x(point.release), y(point.median))).join("") }),
    );
  return draw("g", { class: `s${index % palette}` }, parts);
}

function moveCursor(to, cross, x) {
  cursor = Math.max(0, Math.min(domain.length - 1, to));
  cross.setAttribute("visibility", "visible");
  cross.setAttribute("x1", x(cursor));
  cross.setAttribute("x2", x(cursor));
  const unit = plotView.measure.unit ? ` ${plotView.measure.unit}` : "",
    release = domain[cursor];
  const said = points
    .map(({ column, at }) => {
      const point = at.find((each) => each.release === release);
      if (!point) return null;
      const spread =
        point.values.length > 1 ? ` (${short(point.low)} … ${short(point.high)}, ${point.values.length} runs)` : "";
      return `${columns[column].label}: ${short(point.median)}${unit}${spread}`;
    })
    .filter(Boolean);
  document.getElementById("plot-read").textContent = line(`${releases[release]}: ${said.join("; ")}`);
}

function openAtCursor() {
  if (cursor < 0) return;
  const found = points.map(({ at }) => at.find((each) => each.release === domain[cursor])).find(Boolean);
  if (found) go(found.cell, plotView.test, false);
}

function plotTable(measure) {
  const old = document.getElementById("plot-numbers");
  const details = part("Numbers as a table", () =>
    listTable(
      ["release", ...points.map(({ column }) => make("th", { scope: "col", class: "n" }, line(columns[column].label)))],
      make(
        "tbody",
        {},
        domain.map((release) =>
          make(
            "tr",
            {},
            make("th", { scope: "row" }, line(releases[release])),
            points.map(({ at }) => {
              const point = at.find((each) => each.release === release);
              return make(
                "td",
                { class: "n" },
                point
                  ? `${short(point.median)}${measure.unit ? ` ${measure.unit}` : ""}${point.values.length > 1 ? ` (${short(point.low)} … ${short(point.high)})` : ""}`
                  : "",
              );
            }),
          ),
        ),
      ),
      "Numbers",
    ),
  );
  details.id = "plot-numbers";
  old.replaceWith(details);
}
