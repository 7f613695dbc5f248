import { empty, h, level, table, verdict, when } from "./dom.js";
import { get } from "./live.js";

const chosen = { sort: "level", verdict: "", workbench: "", limit: 50 };

export function components() {
  return { draw };
}

async function draw() {
  const query = new URLSearchParams({ sort: chosen.sort, limit: chosen.limit });
  if (chosen.verdict) query.set("verdict", chosen.verdict);
  if (chosen.workbench) query.set("workbench", chosen.workbench);
  const page = await get(`/api/components?${query}`);
  const again = () => window.dispatchEvent(new HashChangeEvent("hashchange"));
  const select = (label, name, options) =>
    h("label", {}, `${label} `, h("select", { onchange: (event) => { chosen[name] = event.target.value; event.target.blur(); again(); } }, options.map((option) => h("option", { value: option, selected: option === chosen[name] }, option || "all"))));
  const filter = h(
    "form",
    { class: "filter", onsubmit: (event) => event.preventDefault() },
    select("verdict", "verdict", ["", "confirmed", "unmeasured", "disputed", "refuted"]),
    h("label", {}, "workbench ", h("input", { value: chosen.workbench, placeholder: "all", onchange: (event) => { chosen.workbench = event.target.value.trim(); event.target.blur(); again(); } })),
  );
  if (!page.components.length) return [filter, empty("No component.", "Trainers share what passes their guard; the first comes within a minute of two trainers' start.")];
  const columns = [
    ["component", (c) => h("a", { href: `#/component/${encodeURIComponent(c.digest)}` }, c.id)],
    ["author", (c) => c.author],
    ["workbench", (c) => c.workbench || "–"],
    ["trained on", (c) => c.trace || "–"],
    ["kind", (c) => c.kind || "–"],
    ["level", (c) => level(c.level), { number: true, sort: "level" }],
    ["verdict", verdict, { sort: "confirmed" }],
    ["shared", (c) => when(c.shared), { sort: "newest" }],
  ];
  const more = page.next && chosen.limit < 500 ? h("button", { onclick: () => { chosen.limit = Math.min(500, chosen.limit * 2); again(); } }, "more") : null;
  return [filter, table(columns, page.components, (sort) => { chosen.sort = sort; again(); }, chosen.sort), more].filter(Boolean);
}
