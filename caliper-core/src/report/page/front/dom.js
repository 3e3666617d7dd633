// Small helpers for elements. Text is set as text, so that nothing from a test becomes HTML.

const svgNamespace = "http://www.w3.org/2000/svg";

// Nested lists of elements and texts, without what is absent.
const there = (children) =>
  [children].flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...there(children));
  return element;
}

const make = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const draw = (name, attributes, ...children) =>
  fill(document.createElementNS(svgNamespace, name), attributes, children);

// A choice with a label. `options` are pairs of a value and its text.
function choice(label, options, value, change) {
  const select = make(
    "select",
    { onchange: () => change(select.value) },
    options.map(([key, text]) => make("option", { value: key }, line(text))),
  );
  select.value = String(value);
  return make("label", {}, label, select);
}

function check(label, checked, change) {
  const input = make("input", { type: "checkbox", onchange: () => change(input.checked) });
  input.checked = checked;
  return make("label", { class: "check" }, input, label);
}

// A button that copies. Where the clipboard is out of reach, it selects the text instead.
function copies(text, what, source, name = "Copy") {
  const button = make(
    "button",
    {
      type: "button",
      class: "small",
      "aria-label": `${name}: ${what}`,
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(text);
          button.textContent = "Copied";
        } catch {
          if (source) getSelection().selectAllChildren(source);
          button.textContent = source ? "Selected" : "Not possible here";
        }
        setTimeout(() => {
          button.textContent = name;
        }, 1500);
      },
    },
    name,
  );
  return button;
}

function command(text) {
  const code = make("code", {}, line(text));
  return make("div", { class: "command" }, code, copies(line(text), `the command ${line(text)}`, code));
}

// A part that opens, and whose content is made when it is opened first.
function part(title, content, open) {
  const body = make("div", {});
  const details = make("details", { class: "part" }, make("summary", {}, title), body);
  return filled(details, open, () => {
    Promise.resolve(content()).then(
      (made) => body.replaceChildren(...there(made)),
      (error) => {
        body.replaceChildren(make("p", { class: "bad" }, error.message));
      },
    );
  });
}

// The same details, which `load` fills once, when they are opened first.
function filled(details, open, load) {
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    load();
  };
  details.addEventListener("toggle", () => {
    if (details.open) once();
  });
  if (open) {
    details.open = true;
    once();
  }
  return details;
}

// A table that scrolls by itself. `heads` are names of columns, or elements for them.
function listTable(heads, body, label) {
  const head = heads.map((one) => (typeof one === "string" ? make("th", { scope: "col" }, one) : one));
  const named = label ? { tabindex: 0, role: "region", "aria-label": label } : {};
  return make(
    "div",
    { class: "scroll", ...named },
    make("table", { class: "list" }, make("thead", {}, make("tr", {}, head)), body),
  );
}

const longest = 2000;

// A text from a test, in a box that scrolls. Very long lines are shortened until somebody asks for them.
function textBox(raw, label) {
  const { text, stripped } = plain(raw);
  let shortened = 0;
  const brief = text
    .split("\n")
    .map((each) => {
      if (each.length <= longest) return each;
      shortened++;
      return `${each.slice(0, longest)}[… ${each.length - longest} more characters in this line]`;
    })
    .join("\n");
  const box = make("pre", { class: "text", tabindex: 0, role: "group", "aria-label": label }, brief);
  const said = [];
  if (stripped)
    said.push(`${count(stripped, "escape sequence")} of a terminal ${stripped === 1 ? "is" : "are"} left out.`);
  if (text === "") said.push("Empty.");
  const wrap = make(
    "button",
    {
      type: "button",
      class: "small",
      "aria-pressed": "false",
      onclick: () => {
        wrap.setAttribute("aria-pressed", String(box.classList.toggle("wrap")));
      },
    },
    "Wrap lines",
  );
  const isWide = text.split("\n", 5000).some((each) => each.length > 90);
  const whole =
    shortened > 0 &&
    make(
      "button",
      {
        type: "button",
        class: "small",
        onclick: () => {
          box.textContent = text;
          whole.remove();
        },
      },
      `Show ${count(shortened, "long line")} completely`,
    );
  if (text === "") return make("p", { class: "note" }, said.join(" "));
  return [
    (said.length > 0 || isWide) &&
      make("p", { class: "note above" }, make("span", {}, said.join(" ")), whole, isWide && wrap),
    box,
  ];
}

// A text by its number, or why it is not there.
async function numbered(number, label, show) {
  const raw = await content(number);
  if (raw === null)
    return make(
      "p",
      { class: "note" },
      "Left out to keep the page small; ",
      make("code", {}, line(show)),
      " shows it.",
    );
  if (typeof raw !== "string") return make("p", { class: "note" }, "This is no text.");
  return textBox(raw, label);
}
