// Where components and families were tried: sites as columns, coloured by level.
import { empty, h, level, signed } from "./dom.js";
import { get } from "./live.js";

const TYPES = ["os_component_share", "os_component_reference", "performance_report"];
// Least level of each colour; the colours of cividis, which whoever sees few colours can tell apart, from dark to light.
const STEPS = [-Infinity, 0, 0.2, 0.4, 0.6, 0.8];

export function sites(workbench = "") {
  return { draw: () => draw(workbench), types: TYPES };
}

const colour = (value) => `heat heat${STEPS.findLastIndex((least) => value >= least)}`;

async function draw(wanted) {
  const { workbenches } = await get("/api/sites");
  if (!workbenches.length) {
    return empty("Nothing was tried on anybody's own traces yet.", "A trainer that was given traces by --trace or --private-trace tries the confirmed components of its peers on them while it has nothing else to measure, and tells the hub their levels.");
  }
  const table = workbenches.find((one) => one.workbench === wanted) || (wanted ? null : workbenches[0]);
  const names = h("p", { class: "legend" }, workbenches.map((one) => h("a", { href: `#/sites/${encodeURIComponent(one.workbench)}`, "aria-current": one === table ? "page" : null }, one.workbench)));
  if (!table) return [names, empty("There is no such workbench here.", "Those on which something was tried stand above.")];
  const told = table.known > table.sites.length ? `${table.sites.length} of ${table.known} sites are shown. ` : "";
  return [
    names,
    h("h2", {}, `${table.workbench}: tried on everybody's own traces`),
    h("p", {}, `${told}A column is a trace of somebody's own, known by a random name. A cell is the level over train and validation there: 0 is the workbench's reference policy, 1 its optimum; ▲ is above every hand-made policy. Nobody can repeat it, and no verdict and no ranking depends on it.`),
    h("p", {}, "Better, median and worst are of owners, each by the median of its sites; worst is the last but one. There are none below three owners."),
    h("ul", { class: "legend" }, STEPS.map((least, place) => h("li", {}, h("span", { class: `swatch heat heat${place}` }), place ? `${least.toFixed(1)} and more` : "below 0"))),
    grid(table),
  ];
}

function grid(table) {
  const figures = ["Owners", "Sites", "Better", "Median", "Worst"];
  const heads = [
    h("th", { scope: "col" }, "Component or family"),
    figures.map((name) => h("th", { scope: "col", class: "number" }, name)),
    table.sites.map((site) => h("th", { scope: "col", class: "site", title: settings(site) }, h("span", { class: "clip site" }, site.owner.replace(/^owner /, "")), h("code", {}, site.site.slice(0, 4)))),
  ];
  return h("div", { class: "scroll" }, h("table", { class: "sites" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, table.rows.map((row) => line(row, table.sites)))));
}

const settings = (site) => `site ${site.site}, of ${site.owner}; ${Object.entries(site.settings).map(([name, value]) => `${name} ${value}`).join(", ") || "default settings"}`;

function line(row, columns) {
  const share = typeof row.better === "number" ? `${Math.round(100 * row.better)} %` : "–";
  const isFamily = row.kind === "family";
  const link = h("a", { class: "clip short", href: `#/component/${encodeURIComponent(isFamily ? row.first : row.name)}`, title: `${row.first} of ${row.author}` }, isFamily ? row.name.slice(0, 10) : row.first);
  const cells = row.levels.map((value, place) => {
    if (typeof value !== "number") return h("td", { class: "heat none" }, "");
    const gain = value - row.hand_made[place];
    const words = `${isFamily ? "family" : row.first} on ${settings(columns[place])}: level ${level(value)}, ${signed(gain)} beside the best hand-made policy`;
    return h("td", { class: colour(value), title: words }, value.toFixed(2), gain > 0 ? h("span", { title: words }, " ▲") : null);
  });
  return h("tr", {}, h("th", { scope: "row" }, isFamily ? "family " : null, link), [row.owners, row.tried, share, shown(row.median), shown(row.worst)].map((value) => h("td", { class: "number" }, value)), cells);
}

const shown = (value) => (typeof value === "number" ? value.toFixed(2) : "–");
