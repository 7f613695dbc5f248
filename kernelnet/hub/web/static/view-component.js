import { byOwner, h, level, levelWith, many, table, usd, verdict, when } from "./dom.js";
import { get } from "./live.js";

export function component(name, other = "") {
  return { draw: () => draw(name, other) };
}

async function draw(name, other) {
  const found = await get(`/api/components/${encodeURIComponent(name)}`);
  const shared = found.component;
  const manifest = shared.manifest || {};
  const facts = [
    ["author", found.owners[found.author] ? `${found.author}, of ${found.owners[found.author]}` : found.author],
    ["digest", h("code", {}, found.digest)],
    ["workbench", found.workbench],
    ["ABI", found.abi],
    ["kind", found.kind && `${found.kind}, ${found.trace}`],
    ["settings", Object.entries(found.settings || {}).map(([setting, value]) => `${setting} ${value}`).join(", ")],
    ["level", found.claimed ? `${level(found.level)}, as claimed` : `${levelWith(found)}, as those measured it who confirmed it`],
    ["verdict", verdict(found)],
    ["confirmed by", byOwner(found, "confirmed")],
    ["refuted by", byOwner(found, "refuted")],
    ["what", shared.description !== manifest.hypothesis && shared.description],
    ["hypothesis", manifest.hypothesis && h("q", { class: "stranger" }, manifest.hypothesis)],
    ["generator", manifest.generator],
    ["written by", manifest.provenance && `${manifest.provenance.model}, as its author says: ${many(manifest.provenance.tokens || 0)} tokens, ${usd(manifest.provenance.usd)}; ${many(manifest.provenance.calls || 0)} calls, ${usd(manifest.provenance.spent_usd)} by then`],
    ["shared", when(found.shared)],
  ].filter(([, value]) => value);
  const splits = Object.entries(manifest.report?.splits || {});
  const parts = [
    h("h2", {}, found.id),
    h("dl", { class: "facts" }, facts.flatMap(([label, value]) => [h("dt", {}, label), h("dd", {}, value)])),
    splits.length ? h("h2", {}, "Claim") : null,
    splits.length ? table([["part", ([split]) => split.replace("_", "-")], ["score", ([, s]) => many(s.score), { number: true }], ["events", ([, s]) => many(s.events), { number: true }], ["fuel", ([, s]) => many(s.fuel), { number: true }]], splits) : null,
    h("h2", {}, "Lineage"),
    found.lineage.length ? tree(found.lineage, found.digest) : h("p", {}, "It names no parents."),
    h("h2", {}, "Reports"),
    found.reports.length ? table([["AI", (r) => r.reporter], ["verdict", (r) => h("span", { class: r.verdict || "" }, r.verdict || "own figures")], ["score", (r) => many(r.performance.score), { number: true }], ["why", (r) => r.reason || ""], ["when", (r) => when(r.timestamp)]], found.reports) : h("p", {}, "Nobody has measured it again yet."),
    h("h2", {}, "Seen at work"),
    found.observations.length ? h("p", {}, "Told by those who ran it; nobody can repeat it, and no verdict depends on it.") : null,
    found.observations.length ? table([["AI", (o) => o.reporter], ["where", (o) => [o.environment === "real" ? o.target || o.workbench : "simulator", o.system, o.hardware].filter(Boolean).join(", ")], ["what ran", (o) => [o.workload, ...Object.entries(o.settings || {}).map(([name, value]) => `${name} ${value}`)].filter(Boolean).join(", ")], ["score", (o) => many(o.component.score), { number: true }], ["simulated", (o) => many(o.component.simulated), { number: true }], ["beside", (o) => (o.beside || []).map((one) => `${one.policy} ${many(one.score)}`).join(", ")], ["unit", (o) => o.unit], ["when", (o) => when(o.timestamp)]], found.observations) : h("p", {}, "Nobody has told of it at work yet."),
  ];
  if (other) {
    const parent = await get(`/api/components/${encodeURIComponent(other)}`);
    parts.push(h("h2", {}, `Changed from ${parent.id}`), h("pre", { tabindex: "0" }, difference(parent.component.implementation, shared.implementation)));
  }
  parts.push(h("h2", {}, "Source"), h("pre", { tabindex: "0" }, shared.source_size ? `${many(shared.source_size)} bytes, which are kept apart: kernelnet components export ${found.digest.slice(0, 12)}` : highlighted(shared.implementation)));
  return parts.filter(Boolean);
}

export function tree(ancestors, child) {
  return h(
    "ul",
    { class: "tree" },
    ancestors.map((ancestor) =>
      h(
        "li",
        {},
        ancestor.id ? h("a", { href: `#/component/${ancestor.digest}` }, ancestor.id) : h("code", {}, `${ancestor.digest.slice(0, 12)} (not here)`),
        ancestor.id ? ` of ${ancestor.author}, level ${level(ancestor.level)}` : "",
        ancestor.gain !== null ? `, the step from it gained ${ancestor.gain >= 0 ? "+" : ""}${ancestor.gain.toFixed(4)}` : "",
        ancestor.id && child ? [" ", h("a", { href: `#/component/${child}/${ancestor.digest}` }, "what changed")] : "",
        ancestor.hypothesis ? h("div", {}, h("q", { class: "stranger" }, ancestor.hypothesis)) : "",
        ancestor.parents.length ? tree(ancestor.parents, null) : "",
      ),
    ),
  );
}

// A comment that nobody ends is one to the end: looking for its end from each further /* would take seconds.
const TOKEN = /(\/\*[\s\S]*?(?:\*\/|(?![\s\S]))|\/\/[^\n]*)|(^[ \t]*#[^\n]*)|\b(auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|inline|int|long|register|return|short|signed|sizeof|static|struct|switch|typedef|union|unsigned|void|volatile|while|u8|u32|u64|i32|i64|f64)\b|\b(0[xX][0-9a-fA-F]+|\d[\d.eE+-]*)/gm;

function highlighted(source) {
  const parts = [];
  let at = 0;
  for (const match of source.slice(0, 200000).matchAll(TOKEN)) {
    parts.push(source.slice(at, match.index));
    parts.push(h("span", { class: match[1] ? "comment" : match[2] ? "pre" : match[3] ? "key" : "number-literal" }, match[0]));
    at = match.index + match[0].length;
  }
  return [...parts, source.slice(at)];
}

// Lines that both have in the same order, by dynamic programming; sources are small.
function difference(before, after) {
  const [a, b] = [before.split("\n").slice(0, 2000), after.split("\n").slice(0, 2000)];
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--) common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
  const lines = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) lines.push(h("span", {}, `  ${a[i++]}\n`)), j++;
    else if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) lines.push(h("span", { class: "removed" }, `- ${a[i++]}\n`));
    else lines.push(h("span", { class: "added" }, `+ ${b[j++]}\n`));
  }
  return lines;
}
