// The difference of two texts by lines: equal ends are set aside, and Myers' algorithm finds the fewest changed lines between.
// Its time grows with the number of changes, so it has a bound; beyond it the lines are compared one by one.
// Source: E. Myers, "An O(ND) difference algorithm and its variations", 1986.

const mostChanges = 1500,
  mostLines = 40000,
  mostShown = 600,
  context = 3;

// Steps from `one` to `other`: ["=", i, j], ["-", i, j] and ["+", i, j]. `null` if there are too many changes.
function editSteps(one, other) {
  let start = 0,
    oneEnd = one.length,
    otherEnd = other.length;
  while (start < oneEnd && start < otherEnd && one[start] === other[start]) start++;
  while (oneEnd > start && otherEnd > start && one[oneEnd - 1] === other[otherEnd - 1]) {
    oneEnd--;
    otherEnd--;
  }
  const middle = shortest(one.slice(start, oneEnd), other.slice(start, otherEnd));
  if (!middle) return null;
  const steps = [];
  for (let index = 0; index < start; index++) steps.push(["=", index, index]);
  for (const [kind, i, j] of middle) steps.push([kind, i + start, j + start]);
  for (let index = oneEnd; index < one.length; index++) steps.push(["=", index, index - oneEnd + otherEnd]);
  return steps;
}

// For each number of changes, `furthest[k]` is how far one gets on the diagonal k = x - y.
function shortest(one, other) {
  const n = one.length,
    m = other.length;
  if (n + m > mostLines) return null;
  const bound = Math.min(n + m, mostChanges),
    middle = bound + 1;
  const furthest = new Int32Array(2 * bound + 3),
    trail = [];
  for (let changes = 0; changes <= bound; changes++) {
    trail.push(furthest.slice(middle - changes - 1, middle + changes + 2));
    for (let k = -changes; k <= changes; k += 2) {
      const down = k === -changes || (k !== changes && furthest[middle + k - 1] < furthest[middle + k + 1]);
      let x = down ? furthest[middle + k + 1] : furthest[middle + k - 1] + 1;
      while (x < n && x - k < m && one[x] === other[x - k]) x++;
      furthest[middle + k] = x;
      if (x >= n && x - k >= m) return walkBack(trail, n, m);
    }
  }
  return null;
}

function walkBack(trail, n, m) {
  const steps = [];
  let x = n,
    y = m;
  for (let changes = trail.length - 1; changes > 0; changes--) {
    const at = (diagonal) => trail[changes][diagonal + changes + 1],
      k = x - y;
    const down = k === -changes || (k !== changes && at(k - 1) < at(k + 1));
    const fromX = down ? at(k + 1) : at(k - 1),
      fromY = fromX - (down ? k + 1 : k - 1);
    while (x > fromX && y > fromY) steps.push(["=", --x, --y]);
    steps.push(down ? ["+", x, fromY] : ["-", fromX, y]);
    x = fromX;
    y = fromY;
  }
  while (x > 0 && y > 0) steps.push(["=", --x, --y]);
  return steps.reverse();
}

const brief = (text) =>
  text.length > longest ? `${text.slice(0, longest)}[… ${text.length - longest} more characters]` : text;

// The part in which two lines differ, marked.
function markApart(mine, others) {
  let start = 0,
    end = 0;
  const least = Math.min(mine.length, others.length);
  while (start < least && mine[start] === others[start]) start++;
  while (end < least - start && mine[mine.length - 1 - end] === others[others.length - 1 - end]) end++;
  // Two lines that share little are two lines, and not one that changed.
  if (start + end < least * 0.3) return [brief(mine)];
  const from = Math.max(0, start - 300);
  return [
    from > 0 && `[${from} equal characters …]`,
    mine.slice(from, start),
    start + end < mine.length && make("mark", {}, brief(mine.slice(start, mine.length - end))),
    brief(mine.slice(mine.length - end)),
  ];
}

function diffTable(baseline, here, names) {
  const texts = [baseline, here].map((text) => plain(text).text),
    ends = texts.map((text) => text.endsWith("\n"));
  const [one, other] = texts.map((text) => (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n"));
  let first = 0;
  while (first < one.length && first < other.length && one[first] === other[first]) first++;
  if (first === one.length && first === other.length)
    return [
      make(
        "p",
        { class: "note" },
        ends[0] === ends[1]
          ? "The texts are equal, apart from escape sequences."
          : "The texts are equal, apart from the end of the last line.",
      ),
    ];
  const steps = editSteps(one, other),
    said = [];
  let kept;
  if (steps) {
    const near = new Uint8Array(steps.length);
    steps.forEach(([kind], index) => {
      if (kind !== "=") near.fill(1, Math.max(0, index - context), index + context + 1);
    });
    kept = steps.map((step, index) => (near[index] ? step : null));
    said.push(
      `${count(steps.filter(([kind]) => kind === "-").length, "line")} only in the baseline, ${count(steps.filter(([kind]) => kind === "+").length, "line")} only here.`,
    );
  } else {
    kept = [];
    for (let index = Math.max(0, first - context); index < first; index++) kept.push(["=", index, index]);
    for (let index = first; index < Math.min(first + 150, Math.max(one.length, other.length)); index++) {
      if (index < one.length) kept.push(["-", index, index]);
      if (index < other.length) kept.push(["+", index, index]);
    }
    said.push(
      `The texts differ in too many lines to align them (more than ${mostChanges.toLocaleString("en")}). Shown are the lines from the first difference on, one by one.`,
    );
  }
  const table = make("tbody", {});
  let gap = false,
    shownLines = 0,
    marked = false,
    cut = false;
  for (let index = 0; index < kept.length; index++) {
    const step = kept[index];
    if (!step) {
      gap = true;
      continue;
    }
    if (shownLines++ >= mostShown) {
      cut = true;
      break;
    }
    const [kind, i, j] = step;
    if (gap) table.append(make("tr", { class: "gap" }, make("td", { colspan: 4 }, "…")));
    gap = false;
    if (kind !== "=" && !marked) {
      marked = true;
      table.append(
        make(
          "tr",
          { class: "first" },
          make("td", { colspan: 4 }, `First difference: line ${(kind === "+" ? j : i) + 1}`),
        ),
      );
    }
    table.append(diffRow(kind, i, j, one, other, partner(kept, index)));
  }
  if (cut) said.push(`Only the first ${mostShown} lines of the difference are shown.`);
  return [
    make(
      "p",
      { class: "note" },
      `− ${names[0]}   + ${names[1]}. `,
      said.join(" "),
      " Comparing ignores times, addresses and the like; this shows all lines.",
    ),
    make(
      "div",
      { class: "diff", tabindex: 0, role: "group", "aria-label": "Difference to the baseline" },
      make(
        "table",
        {},
        make(
          "thead",
          { class: "unseen" },
          make(
            "tr",
            {},
            ["line of the baseline", "line here", "change", "text"].map((name) => make("th", { scope: "col" }, name)),
          ),
        ),
        table,
      ),
    ),
  ];
}

// The line that a changed line replaces or is replaced by: the nth removed line of a block goes with the nth added one.
function partner(kept, index) {
  const kind = kept[index][0],
    same = (at, which) => kept[at] && kept[at][0] === which;
  if (kind === "=") return null;
  let start = index;
  while (same(start - 1, "-") || same(start - 1, "+")) start--;
  const block = [];
  for (let at = start; same(at, "-") || same(at, "+"); at++) block.push(kept[at]);
  if (block.length > 2000) return null;
  const mine = block.filter((step) => step[0] === kind),
    others = block.filter((step) => step[0] !== kind);
  return others[mine.indexOf(kept[index])] || null;
}

function diffRow(kind, i, j, one, other, pair) {
  const text = kind === "+" ? other[j] : one[i];
  const content = pair ? markApart(text, kind === "+" ? one[pair[1]] : other[pair[2]]) : [brief(text)];
  const names = {
    "=": ["", " ", "equal"],
    "-": ["removed", "−", "only in the baseline"],
    "+": ["added", "+", "only here"],
  };
  const [className, sign, word] = names[kind];
  return make(
    "tr",
    { class: className || null },
    make("td", { class: "n" }, kind === "+" ? "" : i + 1),
    make("td", { class: "n" }, kind === "-" ? "" : j + 1),
    make(
      "td",
      { class: "sign" },
      make("span", { "aria-hidden": "true" }, sign),
      make("span", { class: "unseen" }, word),
    ),
    make("td", {}, content),
  );
}
