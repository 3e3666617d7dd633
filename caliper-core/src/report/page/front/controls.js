// What is chosen above the matrix, and the start of the matrix.

function refresh() {
  const { asked, levels } = columnsAsked();
  shown = asked;
  levelsShown = levels;
  const wanted = JSON.stringify([view.show, view.test, shown]);
  if (wanted !== stepsFor) steps = numberSteps();
  stepsFor = wanted;
  layRows();
  active = {
    row: Math.min(active.row, Math.max(0, rows.length - 1)),
    column: Math.min(active.column, shown.length - 1),
  };
  patterns = new Map();
  const focused = body.contains(document.activeElement),
    head = JSON.stringify([shown, levels, view.show, view.fold, innerWidth < 600]);
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
  scale.replaceChildren(
    make("span", {}, `${measure.name}: ${short(low)}${unit}`),
    make(
      "span",
      { "aria-hidden": "true" },
      Array.from({ length: 7 }, (_, step) => make("span", { class: `step h${step}` })),
    ),
    make("span", {}, `${short(high)}${unit}${logarithmic ? ", logarithmic" : ""}`),
    make(
      "span",
      {},
      view.test < 0
        ? measure.key === "memory"
          ? "largest of the tests' medians"
          : "sum of the tests' medians"
        : "median of the runs",
    ),
  );
}

function showCauses() {
  for (const button of document.querySelectorAll("#causes button"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.cause) === view.cause));
}

// Buttons on the causes that the template has drawn. `page.causes` and `data.causes` have the same order.
function enliven() {
  [...document.querySelectorAll("#causes > li > .cause")].forEach((element, index) => {
    if (!causes[index] || !cells.cause.includes(index)) return;
    element.replaceWith(
      make(
        "button",
        {
          type: "button",
          class: "cause",
          "data-cause": index,
          "aria-pressed": "false",
          title: "Show only the cells with this cause",
          onclick: () => {
            view.cause = view.cause === index ? -1 : index;
            refresh();
          },
        },
        element.textContent,
      ),
    );
  });
}

let searchBox;

function makeControls() {
  const change = (key, convert) => (value) => {
    view[key] = convert ? convert(value) : value;
    unfolded = new Set();
    refresh();
  };
  const words = [...new Set(marks.map((mark) => mark.word))].map((word) => [word, word]);
  if (changedCells.size) words.unshift(["changed against", "changed since the other results"]);
  const foldBox = check("Fold equal releases", view.fold, change("fold"));
  const all = [],
    rest = make("span");
  const main = make(
    "div",
    { class: "controls" },
    tests.length > 1 &&
      choice("Test", [[-1, "all tests, summed"], ...tests.map((test, index) => [index, test])], -1, (value) => {
        change("test", Number)(value);
        showTestInPlot();
      }),
    choice(
      "Show",
      [
        ["mark", "outcome"],
        ...measures.map((measure) => [measure.key, measure.unit ? `${measure.name} (${measure.unit})` : measure.name]),
      ],
      "mark",
      (value) => {
        foldBox.firstChild.disabled = value !== "mark";
        change("show")(value);
      },
    ),
    choice("Outcome", [["", "any"], ...words], "", change("word")),
    make(
      "label",
      { class: "search" },
      "Search",
      (searchBox = make("input", {
        type: "search",
        placeholder: "release, Python, cause, 2.1*/3.9",
        autocomplete: "off",
        spellcheck: "false",
        oninput: () => {
          view.text = searchBox.value;
          refresh();
        },
      })),
    ),
    foldBox,
    rest,
  );
  if (axes.length > 1) {
    all.push(
      choice(
        "Columns by",
        axes.map((axis, index) => [index, `${axis.name} first`]),
        0,
        change("outer", Number),
      ),
    );
  }
  axes.forEach((axis, index) => {
    if (axis.values.length < 2) return;
    all.push(
      choice(
        line(axis.name),
        [[-1, "all"], ...axis.values.map((value, at) => [at, value])],
        view.only[index],
        (value) => {
          view.only[index] = Number(value);
          unfolded = new Set();
          refresh();
        },
      ),
    );
  });
  const reset = make(
    "button",
    {
      type: "button",
      onclick: () => {
        Object.assign(view, {
          test: -1,
          show: "mark",
          outer: 0,
          only: axes.map(() => -1),
          word: "",
          cause: -1,
          text: "",
          fold: true,
        });
        unfolded = new Set();
        makeControls();
        refresh();
      },
    },
    "Reset",
  );
  if (all.length) all.push(reset);
  else rest.replaceWith(reset);
  // On a narrow screen the matrix should not begin below the fold.
  const narrow = innerWidth < 600,
    axesRow = all.length ? [make("div", { class: "controls" }, all)] : [];
  document
    .getElementById("controls")
    .replaceChildren(
      ...(narrow
        ? [make("details", { class: "filters" }, make("summary", {}, "Choose and filter"), main, axesRow)]
        : [main, ...axesRow]),
    );
}

function startMatrix() {
  // With very many columns the first value of the other axes is enough to begin with.
  if (columns.length > 60) view.only = axes.map((_, index) => (index > 0 ? 0 : -1));
  statusLine = make("p", { class: "status", role: "status", "aria-live": "polite" });
  body = make("tbody");
  table = make(
    "table",
    {
      class: "matrix",
      role: "grid",
      "aria-label": "Matrix of releases and Pythons. Arrow keys move, Enter opens the evidence.",
    },
    body,
  );
  frame = make("div", { class: "frame", tabindex: -1 }, table);
  grid.replaceChildren(
    statusLine,
    frame,
    make("p", { id: "no-rows", class: "nothing", hidden: true }, "No cell fits the filters."),
    make("div", { id: "scale", class: "scale", hidden: true }),
  );
  table.addEventListener("keydown", press);
  table.addEventListener("click", clickGrid);
  table.addEventListener("mouseover", hover);
  let asked = false;
  frame.addEventListener(
    "scroll",
    () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        drawRows(false);
      });
    },
    { passive: true },
  );
  makeControls();
  enliven();
  document.getElementById("controls").hidden = false;
  grid.hidden = false;
  if (changedCells.size)
    document
      .querySelector("#matrix .legend")
      .append(make("li", {}, make("b", {}, "◥"), " changed since the other results"));
  document.getElementById("static").hidden = true;
  refresh();
  addEventListener("resize", () => {
    drawn.height = 0;
    drawRows(true);
  });
  addEventListener("beforeprint", () => {
    everything = true;
    drawRows(true);
  });
  addEventListener("afterprint", () => {
    everything = false;
    drawRows(true);
  });
}
