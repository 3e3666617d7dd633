// What the panel shows of a cell: its tests with their runs, texts and files, and its environment.

async function evidenceBody(cell, evidence, shownTest) {
  const changes = changedCells.get(cell) || [];
  const against = evidence.tests.map((test) => test.against).find(Boolean);
  const baseline =
    against && against.cell >= 0 && against.cell !== cell
      ? { cell: against.cell, evidence: await evidenceOf(against.cell) }
      : null;
  const failedBuild = !evidence.tests.length;
  const attention = evidence.tests.some((test) => data.judged[test.test] && wantsALook(test));
  return [
    changes.length > 0 &&
      make(
        "ul",
        { class: "sentences" },
        changes.map((change) =>
          make(
            "li",
            { class: kindClass(change.kind) },
            line(`${change.kind}${change.test ? `, ${change.test}` : ""}: was ${change.was}, now ${change.now}`),
          ),
        ),
      ),
    failedBuild &&
      evidence.state !== marks[cells.mark[cell]].word &&
      make("p", { class: "note" }, line(evidence.state)),
    turns(cell).map((text) => make("p", { class: "note" }, text)),
    evidence.tests.map((test) =>
      testPart(
        cell,
        test,
        evidence,
        evidence.tests.length === 1 ||
          test.test === shownTest ||
          (shownTest < 0 && (attention ? wantsALook(test) && data.judged[test.test] : data.judged[test.test])),
      ),
    ),
    make("h3", {}, "Environment"),
    make(
      "dl",
      { class: "facts" },
      evidence.facts.map(([name, value]) => [make("dt", {}, line(name)), make("dd", {}, line(value))]),
    ),
    baseline &&
      part(
        `Packages that differ from the baseline ${line(idOf(baseline.cell))}`,
        () => packageDifference(evidence.installed, baseline.evidence.installed),
        true,
      ),
    part(`Installed packages (${evidence.installed.length})`, () => packages(evidence.installed)),
    evidence.dockerfile !== null &&
      evidence.dockerfile !== undefined &&
      part("Dockerfile", () => numbered(evidence.dockerfile, "Dockerfile", evidence.show)),
    evidence.log !== null &&
      evidence.log !== undefined &&
      part("Build log", () => numbered(evidence.log, "Build log", evidence.show), failedBuild),
    make("h3", {}, "Look again"),
    make("p", { class: "note" }, "In the folder of the configuration:"),
    [evidence.show, evidence.replay].filter(Boolean).map(command),
  ];
}

const toneOfVerdict = (test, cell) => {
  const mark = markOf(cell, test.test);
  return mark === null ? null : marks[mark];
};
const passes = (run) => outcomeName(run.outcome) === "passed";
// Among several tests the ones that failed or differ are open, and all if none did.
const wantsALook = (test) =>
  test.verdict === "different" || test.verdict === "undecided" || test.runs.some((run) => !passes(run));
const outcomeName = (outcome) => (typeof outcome === "number" ? data.outcomes[outcome] : outcome);

function testPart(cell, test, evidence, open) {
  const mark = toneOfVerdict(test, cell);
  const body = make("div", {});
  const details = make(
    "details",
    { class: "test" },
    make("summary", {}, mark && chip(mark), " ", line(tests[test.test])),
    body,
  );
  return filled(details, open, () => {
    body.append(
      ...there([
        make("p", {}, make("code", {}, line(test.command))),
        test.why.length > 0 &&
          make(
            "ul",
            { class: "sentences" },
            test.why.map((sentence) => make("li", {}, line(sentence))),
          ),
        differencePart(test, evidence),
        runsTable(cell, test),
        outputs(test, evidence),
        functionsPart(test),
        filesPart(test, evidence),
      ]),
    );
  });
}

function differencePart(test, evidence) {
  const { against } = test;
  if (!against || (against.here === null && against.there === null)) return null;
  const where = against.cell >= 0 ? line(idOf(against.cell)) : "the baseline";
  if (against.here === against.there && against.here >= 0)
    return make("p", { class: "note" }, `${line(against.part)} is the same text as at ${where}.`);
  return part(
    `Difference to the baseline ${where}: ${line(against.part)}`,
    async () => {
      const [here, there] = [await content(against.here ?? -1), await content(against.there ?? -1)];
      if (typeof here !== "string" || typeof there !== "string")
        return make(
          "p",
          { class: "note" },
          "A text of the difference was left out to keep the page small; ",
          make("code", {}, line(evidence.show)),
          " shows it.",
        );
      return diffTable(there, here, [where, "this cell"]);
    },
    true,
  );
}

function runsTable(cell, test) {
  const most = 50,
    mostMeasures = 8;
  const seconds = (value) => (value === null || value === undefined ? "" : `${short(value)} s`);
  // The numbers that the test reported stand with those of all cells, in the same order of runs.
  const places = [];
  for (let run = firstRun[cell]; run < firstRun[cell + 1]; run++) if (runs.test[run] === test.test) places.push(run);
  const reported = measures.filter(
    (measure) => measure.reported && places.some((run) => !Number.isNaN(valuesOf(measure)[run])),
  );
  const hasProblem = test.runs.some((run) => run.problem);
  const names = ["run", "outcome", "exit", "time", "processor", "memory"];
  const numbers = reported.slice(0, mostMeasures).map((measure) => line(measure.name));
  const head = [...names, ...numbers].map((name, index) =>
    make("th", { scope: "col", class: index === 1 ? null : "n" }, name),
  );
  const cellOf = (measure, run) => {
    const value = valuesOf(measure)[run];
    return make("td", { class: "n" }, value === undefined || Number.isNaN(value) ? "" : short(value));
  };
  const body = test.runs.slice(0, most).map((run, index) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", class: "n" }, run.attempt),
      make("td", { class: passes(run) ? "good" : "bad" }, line(outcomeName(run.outcome))),
      make("td", { class: "n" }, run.exit ?? ""),
      make("td", { class: "n" }, seconds(run.seconds)),
      make("td", { class: "n" }, seconds(run.cpu)),
      make("td", { class: "n" }, run.memory ? `${short(run.memory / 1048576)} MiB` : ""),
      reported.slice(0, mostMeasures).map((measure) => cellOf(measure, places[index])),
      hasProblem && make("td", {}, run.problem ? line(run.problem) : ""),
    ),
  );
  const table = make(
    "table",
    { class: "list" },
    make("thead", {}, make("tr", {}, head, hasProblem && make("th", { scope: "col" }, "problem"))),
    make("tbody", {}, body),
  );
  return [
    make("h3", {}, "Runs"),
    make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Runs" }, table),
    test.runs.length > most && make("p", { class: "note" }, `The first ${most} of ${test.runs.length} runs.`),
    reported.length > mostMeasures &&
      make("p", { class: "note" }, `The first ${mostMeasures} of ${reported.length} reported numbers.`),
  ];
}

// Equal texts have equal numbers, so runs with the same output are named together.
function outputs(test, evidence) {
  const parts = [];
  for (const [key, name] of [
    ["error", "Errors"],
    ["output", "Output"],
  ]) {
    const byNumber = new Map();
    for (const run of test.runs) {
      if (run[key] === null || run[key] === undefined) continue;
      if (!byNumber.has(run[key])) byNumber.set(run[key], []);
      byNumber.get(run[key]).push(run);
    }
    let first = true;
    for (const [number, of] of [...byNumber].slice(0, 30)) {
      const title =
        test.runs.length === 1
          ? name
          : byNumber.size === 1
            ? `${name} (the same in ${of.length === 2 ? "both" : `all ${of.length}`} runs)`
            : `${name} of run ${of
                .slice(0, 20)
                .map((run) => run.attempt)
                .join(", ")}${of.length > 20 ? " …" : ""}`;
      const failed = of.some((run) => !passes(run));
      parts.push(part(title, () => numbered(number, title, evidence.show), first && (failed || key === "output")));
      first = false;
    }
    if (byNumber.size > 30)
      parts.push(make("p", { class: "note" }, `${byNumber.size - 30} more texts are not listed.`));
  }
  return parts;
}

function functionsPart(test) {
  const run = test.runs.find((each) => each.functions && each.functions.length);
  if (!run) return null;
  const all = [...run.functions].sort((one, other) => (one.outcome === "passed") - (other.outcome === "passed"));
  const bad = all.filter((each) => each.outcome !== "passed").length,
    most = 300;
  return part(
    `Functions (${all.length}${bad ? `, ${bad} not passed` : ""})`,
    () => [
      listTable(
        ["outcome", "function", "message"],
        make(
          "tbody",
          {},
          all
            .slice(0, most)
            .map((each) =>
              make(
                "tr",
                {},
                make("td", { class: each.outcome === "passed" ? "good" : "bad" }, line(each.outcome)),
                make("th", { scope: "row", class: "mono" }, line(each.id)),
                make("td", {}, each.message ? line(each.message) : ""),
              ),
            ),
        ),
      ),
      all.length > most && make("p", { class: "note" }, `The first ${most} of ${all.length}.`),
    ],
    bad > 0,
  );
}

function filesPart(test, evidence) {
  const run = test.runs.find((each) => each.files && each.files.length);
  if (!run) return null;
  return [
    make("h3", {}, "Files that the test left"),
    run.files.slice(0, 100).map((file) => {
      const size =
        file.size < 1024
          ? count(file.size, "byte")
          : file.size < 1048576
            ? `${short(file.size / 1024)} KiB`
            : `${short(file.size / 1048576)} MiB`;
      const title = `${line(file.path)} (${size})`;
      if (file.image !== null && file.image !== undefined && file.image >= 0) {
        return part(title, async () => imagePair(file.path, file.image, await baselineImage(test, file.path)), true);
      }
      return part(title, async () => [
        make("p", { class: "note mono" }, `sha256 ${line(file.sha256 || "not known")}`),
        file.image === -1
          ? await numbered(-1, "", evidence.show)
          : file.text === null || file.text === undefined
            ? make("p", { class: "note" }, "Its content is not text, so it is not shown.")
            : await numbered(file.text, title, evidence.show),
      ]);
    }),
  ];
}

async function baselineImage(test, path) {
  if (!test.against || test.against.cell < 0) return null;
  const other = (await evidenceOf(test.against.cell)).tests.find((each) => each.test === test.test);
  for (const run of other ? other.runs : []) {
    const file = (run.files || []).find((each) => each.path === path);
    if (file && file.image !== null && file.image >= 0) return file.image;
  }
  return null;
}

function packages(installed) {
  const lock = installed.map(([name, version]) => `${line(name)}==${line(version)}`).join("\n");
  return [
    make("p", {}, copies(lock, "the list as requirements", null)),
    make(
      "div",
      { class: "scroll" },
      make(
        "table",
        { class: "list" },
        make(
          "thead",
          { class: "unseen" },
          make("tr", {}, make("th", { scope: "col" }, "package"), make("th", { scope: "col" }, "version")),
        ),
        make(
          "tbody",
          {},
          installed.map(([name, version]) =>
            make("tr", {}, make("th", { scope: "row" }, line(name)), make("td", { class: "mono" }, line(version))),
          ),
        ),
      ),
    ),
  ];
}

function packageDifference(here, there) {
  const [mine, theirs] = [new Map(here), new Map(there)];
  const names = [...new Set([...mine.keys(), ...theirs.keys()])]
    .sort()
    .filter((name) => mine.get(name) !== theirs.get(name));
  if (!names.length) return make("p", { class: "note" }, "None: the same packages are installed.");
  return listTable(
    ["package", "baseline", "here"],
    make(
      "tbody",
      {},
      names.map((name) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, line(name)),
          make("td", { class: "mono" }, line(theirs.get(name) || "not installed")),
          make("td", { class: "mono" }, line(mine.get(name) || "not installed")),
        ),
      ),
    ),
  );
}
