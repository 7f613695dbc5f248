import { cut, empty, h, level, levelWith, table, taskLink, taskWords, verdict, when } from "./dom.js";
import { get } from "./live.js";

const chosen = { sort: "level", verdict: "", workbench: "", limit: 50 };

const bar = (value) => (typeof value === "number" ? h("meter", { min: 0, max: 1, value: Math.max(0, Math.min(1, value)), "aria-hidden": "true" }) : null);

// Two tasks of one trace differ in their settings alone.
function task(c) {
  const words = taskWords(c);
  if (!words) return "–";
  return c.trace_digest && c.kind === "specialist" ? h("a", { class: "clip short", href: taskLink(c), title: words }, cut(words, 60)) : h("span", { class: "clip short", title: words }, cut(words, 60));
}

export function components() {
  return { draw, types: ["os_component_share", "os_component_reference", "performance_report"] };
}

async function draw() {
  const query = new URLSearchParams({ sort: chosen.sort, limit: chosen.limit });
  if (chosen.verdict) query.set("verdict", chosen.verdict);
  if (chosen.workbench) query.set("workbench", chosen.workbench);
  const page = await get(`/api/components?${query}`);
  const again = () => document.dispatchEvent(new Event("redraw"));
  const select = (label, name, options) =>
    h("label", {}, `${label} `, h("select", { id: name, onchange: (event) => { chosen[name] = event.target.value; again(); } }, options.map((option) => h("option", { value: option, selected: option === chosen[name] }, option || "all"))));
  const filter = h(
    "form",
    { class: "filter", onsubmit: (event) => event.preventDefault() },
    select("verdict", "verdict", ["", "confirmed", "unmeasured", "disputed", "refuted"]),
    h("label", {}, "workbench ", h("input", { id: "workbench", value: chosen.workbench, placeholder: "all", onchange: (event) => { chosen.workbench = event.target.value.trim(); again(); } })),
  );
  if (!page.components.length) return [filter, empty("No component.", "Trainers share what passes their guard; the first comes within a minute of two trainers' start.")];
  const columns = [
    ["component", (c) => h("a", { href: `#/component/${encodeURIComponent(c.digest)}`, title: c.id, class: "clip" }, cut(c.id, 40)), { grow: true }],
    ["level", (c) => [bar(c.level), c.claimed ? `claimed: ${level(c.level)}` : levelWith(c)], { number: true, sort: "level" }],
    ["verdict", verdict, { sort: "confirmed" }],
    ["author", (c) => c.author, { wide: true }],
    ["workbench", (c) => c.workbench || "–", { wide: true }],
    ["trained on", task, { wide: true }],
    ["kind", (c) => c.kind || "–", { wide: true }],
    ["shared", (c) => when(c.shared), { sort: "newest", wide: true }],
  ];
  const more = page.next && chosen.limit < 500 ? h("button", { onclick: () => { chosen.limit = Math.min(500, chosen.limit * 2); again(); } }, "more") : null;
  return [filter, table(columns, page.components, (sort) => { chosen.sort = sort; again(); }, chosen.sort), more].filter(Boolean);
}
