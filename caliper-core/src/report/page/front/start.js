// What changed against other results, the theme, and the start.

const kinds = ["regressed", "changed", "flaky", "undecided", "fixed", "new", "gone"];
const kindClass = (kind) => `kind-${kinds.includes(kind) ? kind : "other"}`;

function makeChanges() {
  const section = document.getElementById("changes");
  if (!data.against || !section) return;
  const { changes } = data.against,
    chosen = { kind: "", text: "", most: 200 };
  const found = make("p", { class: "status", role: "status", "aria-live": "polite" }),
    body = make("tbody", {});
  const more = make(
    "button",
    {
      type: "button",
      onclick: () => {
        chosen.most += 1000;
        list();
      },
    },
    "Show more",
  );
  const list = () => {
    const term = chosen.text.toLowerCase();
    const fit = changes.filter(
      (change) =>
        (!chosen.kind || change.kind === chosen.kind) &&
        (!term || `${change.id} ${change.test} ${change.was} ${change.now}`.toLowerCase().includes(term)),
    );
    found.textContent = `${fit.length.toLocaleString("en")} of ${count(changes.length, "change")}`;
    body.replaceChildren(
      ...fit
        .slice(0, chosen.most)
        .map((change) =>
          make(
            "tr",
            {},
            make("td", { class: kindClass(change.kind) }, line(change.kind)),
            make(
              "th",
              { scope: "row", class: "mono" },
              change.cell >= 0
                ? make("a", { href: linkOf(change.cell, tests.indexOf(change.test)) }, line(change.id))
                : line(change.id),
            ),
            make("td", {}, line(change.test)),
            make("td", {}, line(change.was)),
            make("td", {}, line(change.now)),
          ),
        ),
    );
    more.hidden = fit.length <= chosen.most;
  };
  const search = make("input", {
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => {
      chosen.text = search.value;
      list();
    },
  });
  const all = new Set(changes.map((change) => change.kind)),
    present = [...kinds.filter((kind) => all.has(kind)), ...[...all].filter((kind) => !kinds.includes(kind))];
  section.replaceChildren(
    make(
      "div",
      { class: "controls" },
      choice("Change", [["", "any"], ...present.map((kind) => [kind, kind])], "", (value) => {
        chosen.kind = value;
        list();
      }),
      make("label", { class: "search" }, "Search", search),
    ),
    found,
    listTable(["change", "cell", "test", "was", "now"], body, "Changes"),
    more,
  );
  list();
}

function makeTheme() {
  const key = "caliper-theme",
    root = document.documentElement;
  const apply = (theme) => {
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
  };
  let kept = "auto";
  try {
    kept = localStorage.getItem(key) || "auto";
  } catch {
    /* Storage is forbidden: the theme lasts as long as the page. */
  }
  if (!["light", "dark"].includes(kept)) kept = "auto";
  apply(kept);
  const tools = document.getElementById("tools");
  const control = choice(
    "Theme",
    [
      ["auto", "as the system"],
      ["light", "light"],
      ["dark", "dark"],
    ],
    kept,
    (theme) => {
      apply(theme);
      try {
        localStorage.setItem(key, theme);
      } catch {
        /* As above. */
      }
    },
  );
  tools.replaceChildren(make("div", { class: "controls" }, control));
  // On a phone the first screen belongs to the answer.
  if (innerWidth < 600) document.querySelector("footer").prepend(tools);
  tools.hidden = false;
}

function start() {
  makeTheme();
  startMatrix();
  makeChanges();
  startPlot();
  for (const code of document.querySelectorAll("#commands code"))
    code.after(copies(code.textContent, `the command ${code.textContent}`, code));
  addEventListener("hashchange", route);
  addEventListener("popstate", route);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) leave();
    else if (
      event.key === "/" &&
      !/^(input|select|textarea)$/i.test(event.target.tagName) &&
      !event.ctrlKey &&
      !event.metaKey
    ) {
      searchBox.focus();
      event.preventDefault();
    }
  });
  route();
  performance.mark("caliper-interactive");
}

try {
  start();
} catch (error) {
  // The table of the template stays, and the reader learns why there is no more.
  document.getElementById("static").hidden = false;
  for (const id of ["grid", "controls"]) document.getElementById(id).hidden = true;
  const problem = document.getElementById("problem");
  problem.textContent = `The interactive part of this page failed: ${error.message}`;
  problem.hidden = false;
  throw error;
}
