// What is chosen above the plot, and the start of the plot.

// Of a measure the tests and columns with numbers; the columns chosen before stay, if they have some.
function chooseSeries() {
  const of = holders(plotView.measure);
  if (!of.has(plotView.test)) plotView.test = of.keys().next().value;
  const possible = [...of.get(plotView.test)].sort((one, other) => one - other);
  plotView.series = plotView.series.filter((column) => possible.includes(column));
  if (!plotView.series.length) plotView.series = possible.slice(0, 4);
  return possible;
}

// A test that decides marks, if one has numbers.
function firstTest(measure) {
  const of = [...holders(measure).keys()];
  return of.find((test) => data.judged[test]) ?? of[0];
}

// How far the medians of the first column spread along the releases, in units of their noise.
function drift(measure) {
  if (measure.drift === undefined) {
    const test = firstTest(measure),
      { at } = seriesOf(measure, test, Math.min(...holders(measure).get(test)));
    const range = Math.max(...at.map((point) => point.median)) - Math.min(...at.map((point) => point.median));
    const noise = at.reduce((sum, point) => sum + point.high - point.low, 0) / at.length;
    measure.drift = range === 0 || !Number.isFinite(range) ? 0 : range / (noise + range / 100);
  }
  return measure.drift;
}

function makePlot() {
  const possible = chooseSeries(),
    of = holders(plotView.measure),
    again = (key, convert) => (value) => {
      plotView[key] = convert(value);
      cursor = -1;
      makePlot();
    };
  const controls = make(
    "div",
    { class: "controls" },
    choice(
      "Number",
      measures
        .filter((measure) => holders(measure).size)
        .map((measure) => [measure.key, measure.unit ? `${measure.name} (${measure.unit})` : measure.name]),
      plotView.measure.key,
      again("measure", (key) => measures.find((measure) => measure.key === key)),
    ),
    of.size > 1 &&
      choice(
        "Test",
        [...of.keys()].sort((one, other) => one - other).map((test) => [test, tests[test]]),
        plotView.test,
        again("test", Number),
      ),
    check("Axis from zero", plotView.zero, again("zero", Boolean)),
  );
  const key = (column) => {
    const index = plotView.series.indexOf(column);
    const box = make("input", {
      type: "checkbox",
      onchange: () => {
        plotView.series = box.checked
          ? [...plotView.series, column]
          : plotView.series.filter((each) => each !== column);
        makePlot();
        const same = plotSection.querySelector(`input[data-series="${column}"]`);
        if (same) same.focus();
      },
      "data-series": column,
      disabled: index < 0 && plotView.series.length >= palette,
    });
    box.checked = index >= 0;
    return make(
      "label",
      {},
      box,
      index >= 0 &&
        draw(
          "svg",
          { class: `s${index}`, "aria-hidden": "true", viewBox: "0 0 26 14" },
          draw("path", { class: "median", d: "M0 7h26", "stroke-dasharray": dashes[index] || null }),
          draw("path", { class: "center", d: shapes[index % shapes.length](13, 7) }),
        ),
      line(columns[column].label),
    );
  };
  // The chosen columns are the legend of the plot; with many columns the others are folded away.
  const many = possible.length > 12,
    rest = possible.filter((column) => !plotView.series.includes(column));
  const keys = make(
    "fieldset",
    { class: "keys" },
    make("legend", { class: "unseen" }, "Columns"),
    (many ? plotView.series : possible).map(key),
  );
  const others =
    many &&
    make(
      "details",
      {
        class: "others",
        open: plotView.others,
        ontoggle: (event) => {
          plotView.others = event.target.open;
        },
      },
      make("summary", {}, `Other columns (${rest.length}; up to ${palette} at once)`),
      make("div", { class: "keys" }, rest.map(key)),
    );
  const holder = make("div", {});
  plotDrawn.holder = holder;
  plotSection.classList.add("plot");
  plotSection.replaceChildren(
    plotSection.querySelector("h2"),
    controls,
    keys,
    ...there(others),
    holder,
    make("p", { class: "readout", id: "plot-read", "aria-live": "polite" }),
    make("p", { class: "note", id: "plot-note" }),
    make("div", { id: "plot-numbers" }),
  );
  drawPlot();
}

// The plot follows the test that is chosen above it, if that has numbers.
function showTestInPlot() {
  if (plotSection.hidden || !plotView.measure || view.test < 0 || !holders(plotView.measure).has(view.test)) return;
  plotView.test = view.test;
  makePlot();
}

function startPlot() {
  if (!measures.length || releases.length < 2) return;
  plotSection.hidden = false;
  const start = () => {
    const plotted = measures.filter((measure) => holders(measure).size);
    plotSection.hidden = !plotted.length;
    if (!plotted.length) return;
    // What tests report themselves is looked at first, and of that what drifts most.
    const reported = plotted.filter((measure) => measure.reported).slice(0, 50);
    plotView.measure = reported.sort((one, other) => drift(other) - drift(one))[0] || plotted[0];
    plotView.test = firstTest(plotView.measure);
    makePlot();
    let width = plotDrawn.holder.clientWidth;
    // The section, as its holder is made anew for each choice.
    new ResizeObserver(() => {
      if (plotDrawn.holder.clientWidth && plotDrawn.holder.clientWidth !== width) {
        width = plotDrawn.holder.clientWidth;
        drawPlot();
      }
    }).observe(plotSection);
  };
  // It stands below the first screen, so it waits until it comes near it. What is printed has it too.
  if (!("IntersectionObserver" in window)) {
    start();
    return;
  }
  let started = false;
  const once = () => {
    if (!started) {
      started = true;
      observer.disconnect();
      start();
    }
  };
  const observer = new IntersectionObserver(
    (seen) => {
      if (seen.some((each) => each.isIntersecting)) once();
    },
    { rootMargin: "300px" },
  );
  observer.observe(plotSection);
  addEventListener("beforeprint", once);
}
