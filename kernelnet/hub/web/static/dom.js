// Elements from words: text is always text, whoever wrote it.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Columns: [title, row => cell, {number, sort, wide, grow}]; a title with `sort` is a button that calls onsort(sort); one that is
// wide is left out where there is little room; one that grows takes what room the others leave, and is cut there.
export function table(columns, rows, onsort = null, sorted = "") {
  const heads = columns.map(([title, , options = {}]) => {
    const content = options.sort && onsort ? h("button", { onclick: () => onsort(options.sort), "aria-pressed": String(options.sort === sorted) }, title + (options.sort === sorted ? " ▾" : "")) : title;
    return h("th", { scope: "col", class: classes(options) }, content);
  });
  const body = rows.map((row) => h("tr", { class: row.claimed || row.older_rules ? "claimed" : null }, columns.map(([, cell, options = {}]) => h("td", { class: classes(options) }, cell(row)))));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, body)));
}

const classes = ({ number, wide, grow }) => [number && "number", wide && "wide", grow && "grow"].filter(Boolean).join(" ") || null;

export function empty(title, ...more) {
  return h("div", { class: "empty" }, h("strong", {}, title), more.map((line) => h("p", {}, line)));
}

export const level = (value) => (typeof value === "number" ? value.toFixed(3) : "–");

// "0.417 ± 0.03": half the width of the interval; a dash where there is none.
export function levelWith(found) {
  const wide = typeof found.level_low === "number" && typeof found.level_high === "number";
  return `${level(found.level)} ± ${wide ? ((found.level_high - found.level_low) / 2).toFixed(2) : "–"}`;
}

const gainOf = (task) => (task.best_in_hindsight ? task.steps.at(-1).level - task.best_in_hindsight_level : null);

// Of a task's best over the hand-made policy that is best in hindsight: as {gain, unsure}; a gain within its level's interval may be luck.
export function compared(task) {
  const [gain, low] = [gainOf(task), task.steps.at(-1).level_low];
  return { gain, unsure: gain > 0 && typeof low === "number" && low <= task.best_in_hindsight_level };
}

export const signed = (value) => (typeof value === "number" ? `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(3)}` : "–");

export const many = (value) => (typeof value === "number" ? value.toLocaleString() : "–");

export const usd = (value) => (typeof value === "number" ? `$${value.toFixed(4)}` : "cost unknown");

export function when(text) {
  if (!text) return "–";
  const date = new Date(text);
  return h("time", { datetime: text, title: date.toLocaleString() }, ago(text));
}

// For how long it has been so: "88 s".
export function since(text) {
  return text ? h("time", { datetime: text, title: new Date(text).toLocaleString() }, passed(text)) : "–";
}

export function passed(text) {
  const seconds = (Date.now() - new Date(text)) / 1000;
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export const ago = (text) => `${passed(text)} ago`;

// Where a task has its page, and how it is called.
export const taskLink = (task) => `#/task/${[task.workbench, task.trace_digest, JSON.stringify(Object.entries(task.settings || {}).sort())].map(encodeURIComponent).join("/")}`;

export const taskWords = (task) => [task.trace_in_words, task.settings_in_words].filter(Boolean).join(", ");

export const taskName = (task) => `${task.workbench}: ${taskWords(task)}`;

// A link to it that takes no more room than there is.  Tasks of one trace differ in their settings alone: a long name is cut first.
export const toTask = (task) => {
  const told = task.settings_in_words;
  return h("a", { class: "task", href: taskLink(task), title: taskName(task) },
    h("span", { class: "bench" }, `${task.workbench}: `), h("span", { class: "trace" }, task.trace_in_words), told ? h("span", { class: "settings" }, `, ${told}`) : null);
};

export const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

// Who has this verdict on a component: an owner once, with the AIs; an AI without an owner by its id.
export function byOwner(component, which) {
  const voices = new Map();
  for (const [ai, found] of Object.entries(component.verdicts)) {
    if (found !== which) continue;
    const owner = component.owners[ai];
    voices.set(owner ? `owner ${owner}` : ai, [...(owner && voices.get(`owner ${owner}`) || []), ai]);
  }
  return [...voices].map(([voice, ais]) => voice.startsWith("owner ") ? `${voice.slice(6)} (${ais.join(", ")})` : voice).sort().join("; ");
}

export function verdict(component) {
  const words = [];
  if (component.confirmed) words.push(`confirmed by ${component.confirmed}`);
  if (component.refuted) words.push(`refuted by ${component.refuted}`);
  if (component.older_rules) words.push("under older rules of its workbench");
  const told = words.join(", ") || "unmeasured";
  return h("span", { class: component.state, title: told }, told);
}
