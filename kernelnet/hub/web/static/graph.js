// A picture of AIs and of who has to do with whom: laid out by d3-force, drawn as SVG, gone through by the arrow keys.
import { ago, h, passed, s } from "./dom.js";

// Colours that colour-blind people tell apart (Okabe and Ito, Color Universal Design, 2008), and letters for all.
const KINDS = {
  file_system: ["#0072b2", "FS", "#fff"],
  process_manager: ["#e69f00", "PM", "#000"],
  networking: ["#009e73", "NW", "#000"],
  security: ["#cc79a7", "SE", "#000"],
  performance: ["#56b4e9", "PF", "#000"],
  graphics: ["#d55e00", "GR", "#000"],
  window_manager: ["#8c8c00", "WM", "#fff"],
  audio: ["#6a51a3", "AU", "#fff"],
  general: ["#7f7f7f", "GE", "#000"],
};
// A specialization is a stranger's word, such as "constructor".
const kindOf = (ai) => (Object.hasOwn(KINDS, ai.specialization) ? ai.specialization : "general");
const EDGES = { active: "collaboration under way", offered: "offered", feature: "feature request", done: "completed in the last ten minutes" };
const LABELLED = 40;
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Returns picture(ais, edges), which gives the same elements each time, brought up to date.
export function graph() {
  const lines = s("g", {});
  const dots = s("g", {});
  const svg = s("svg", { class: "network", id: "network", tabindex: 0, role: "listbox", "aria-label": "AIs, and who works with whom; arrow keys go from one to the next" }, lines, dots);
  const told = h("p", { class: "told", role: "status" });
  const frame = h("div", { class: "frame" }, svg);
  const nodes = new Map();
  let links = [];
  let chosen = null;
  let [width, height, radius] = [640, 420, 12];
  let simulation = null;

  function begin() {
    const { forceSimulation, forceManyBody, forceLink, forceX, forceY, forceCollide } = window.d3;
    simulation = forceSimulation()
      .force("charge", forceManyBody())
      .force("link", forceLink().id((node) => node.id))
      .force("x", forceX())
      .force("y", forceY())
      .force("collide", forceCollide())
      .on("tick", place)
      .stop();
  }

  // Its frame is not on the page before it is drawn for the first time; the page has it with padding and a border.
  const wide = () => Math.max(280, frame.clientWidth || document.getElementById("view").clientWidth - 34);

  // So that all fit: what each may take of the picture's area decides how large it is and how far it keeps from others.
  function measure() {
    const old = [width, height];
    width = wide();
    height = Math.round(Math.min(nodes.size > 10 ? 560 : 380, Math.max(300, width * 0.55)));
    for (const node of nodes.values()) if (node.isPlaced) [node.x, node.y] = [(node.x * width) / old[0], (node.y * height) / old[1]];
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.classList.toggle("many", nodes.size > LABELLED);
    const space = Math.sqrt((width * height) / Math.max(1, nodes.size));
    radius = Math.max(3, Math.min(nodes.size > 10 ? 15 : 20, space * 0.3));
    const isFew = nodes.size <= LABELLED;
    simulation.force("charge").strength(-Math.min(600, space * (isFew ? 3 : 0.8))).distanceMax(space * 6);
    simulation.force("link").distance(Math.min(220, space * 0.9)).strength(0.15);
    simulation.force("x").x(width / 2).strength(0.06 * Math.min(1, height / width) ** 2);
    simulation.force("y").y(height / 2).strength(0.06);
    simulation.force("collide").radius(isFew ? radius + 18 : radius * 1.25);
  }

  function place() {
    const [side, below] = nodes.size <= LABELLED ? [48, 34] : [radius + 2, radius + 2];
    for (const node of nodes.values()) {
      node.x = Math.max(side, Math.min(width - side, node.x));
      node.y = Math.max(radius + 4, Math.min(height - below, node.y));
      node.group.setAttribute("transform", `translate(${node.x.toFixed(1)} ${node.y.toFixed(1)})`);
    }
    for (const { line, source, target } of links) {
      line.setAttribute("x1", source.x);
      line.setAttribute("y1", source.y);
      line.setAttribute("x2", target.x);
      line.setAttribute("y2", target.y);
    }
  }

  function sayOf(node) {
    const with_ = links.filter((link) => link.source === node || link.target === node).map((link) => `${link.words} with ${(link.source === node ? link.target : link.source).id}`);
    const { ai } = node;
    return [`${ai.id}: ${ai.specialization}`, ai.connected ? `here for ${passed(ai.since)}` : `away, last seen ${ago(ai.seen)}`, ...with_.slice(0, 5)].join("; ");
  }

  function choose(node) {
    chosen?.group.classList.remove("chosen");
    chosen?.group.setAttribute("aria-selected", "false");
    chosen = node;
    if (node) {
      node.group.classList.add("chosen");
      node.group.setAttribute("aria-selected", "true");
      svg.setAttribute("aria-activedescendant", node.group.id);
    } else svg.removeAttribute("aria-activedescendant");
    told.textContent = node ? sayOf(node) : "";
  }

  svg.addEventListener("keydown", (event) => {
    const way = ARROWS[event.key];
    if (event.key === "Escape") choose(null);
    if (!way || !nodes.size) return;
    event.preventDefault();
    // The nearest of those that lie that way rather than to its sides.
    let [best, least] = [null, Infinity];
    for (const node of nodes.values()) {
      const [x, y] = chosen ? [node.x - chosen.x, node.y - chosen.y] : [node.x, node.y];
      const [along, across] = [x * way[0] + y * way[1], Math.abs(x * way[1]) + Math.abs(y * way[0])];
      const far = chosen ? along + 2 * across : x * x + y * y;
      if ((!chosen || along > 0.5) && far < least) [best, least] = [node, far];
    }
    if (best) choose(best);
  });
  svg.addEventListener("pointerover", (event) => {
    const group = event.target.closest("g[role=option]");
    if (group) choose(nodes.get(group.dataset.id));
  });

  function made(ai, number) {
    const label = s("text", { class: "name", "text-anchor": "middle" });
    const letters = s("text", { class: "letters", "text-anchor": "middle", dy: ".35em" });
    const circle = s("circle", {});
    const group = s("g", { role: "option", id: `ai-${number}`, "aria-selected": "false" }, circle, letters, label);
    group.dataset.id = ai.id;
    dots.append(group);
    return { id: ai.id, group, circle, letters, label };
  }

  function dress(node) {
    const { ai, group, circle, letters, label } = node;
    const [colour, code, ink] = KINDS[kindOf(ai)];
    group.setAttribute("class", `${ai.connected ? "" : "away"} ${node === chosen ? "chosen" : ""}`);
    group.setAttribute("aria-label", `${ai.id}, ${ai.specialization}, ${ai.connected ? "here" : "away"}`);
    circle.setAttribute("r", radius);
    circle.setAttribute("fill", ai.connected ? colour : "var(--ground)");
    circle.setAttribute("stroke", colour);
    letters.textContent = radius >= 10 ? code : "";
    letters.setAttribute("fill", ai.connected ? ink : "var(--ink)");
    const words = [...ai.id];
    label.textContent = nodes.size <= LABELLED ? (words.length > 14 ? `${words.slice(0, 13).join("")}…` : ai.id) + (ai.connected ? "" : ` (${ago(ai.seen)})`) : "";
    label.setAttribute("y", radius + 15);
  }

  function legend(ais) {
    const kinds = [...new Set(ais.map(kindOf))].sort();
    const dot = ([colour, code, ink]) => s("svg", { viewBox: "-11 -11 22 22", width: 22, height: 22, "aria-hidden": "true" }, s("circle", { r: 10, fill: colour }), s("text", { class: "letters", fill: ink, "text-anchor": "middle", dy: ".35em" }, code));
    const sample = (kind) => s("svg", { viewBox: "0 0 26 8", width: 26, height: 8, "aria-hidden": "true" }, s("line", { class: kind, x1: 0, y1: 4, x2: 26, y2: 4, "stroke-width": 3 }));
    const shown = Object.keys(EDGES).filter((kind) => kind === "active" || links.some((link) => link.kind === kind));
    return h(
      "ul",
      { class: "legend" },
      kinds.map((kind) => h("li", {}, dot(KINDS[kind]), ` ${kind}`)),
      ais.some((ai) => !ai.connected) ? h("li", {}, s("svg", { viewBox: "-11 -11 22 22", width: 22, height: 22, "aria-hidden": "true" }, s("g", { class: "away" }, s("circle", { r: 9, fill: "none", stroke: "currentColor" }))), " away") : null,
      shown.map((kind) => h("li", {}, sample(kind), ` ${EDGES[kind]}`)),
      links.length ? h("li", {}, "thicker: more messages between the two") : null,
    );
  }

  return (ais, edges) => {
    if (!simulation) begin();
    const before = `${nodes.size} ${links.map((link) => link.key).join()}`;
    const ids = new Set(ais.map((ai) => ai.id));
    let isNew = false;
    for (const [id, node] of nodes) {
      if (ids.has(id)) continue;
      if (node === chosen) choose(null);
      node.group.remove();
      nodes.delete(id);
      isNew = true;
    }
    ais.forEach((ai) => {
      if (!nodes.has(ai.id)) {
        nodes.set(ai.id, made(ai, nodes.size + Math.random().toString(36).slice(2, 8)));
        isNew = true;
      }
      nodes.get(ai.id).ai = ai;
    });
    links = edges.map((edge) => ({ ...edge, line: s("line", { class: edge.kind, "stroke-width": (1.5 + Math.log2(1 + edge.messages)).toFixed(1) }) }));
    lines.replaceChildren(...links.map(({ line }) => line));
    const old = width;
    measure();
    // Those that are new begin around the middle, in a spiral; who is there stays about where it is.
    simulation.nodes([...nodes.values()].map((node) => (node.x === undefined ? node : Object.assign(node, { vx: 0, vy: 0 }))));
    for (const node of nodes.values()) {
      if (!node.isPlaced) Object.assign(node, { isPlaced: true, x: width / 2 + node.x, y: height / 2 + node.y });
      dress(node);
    }
    simulation.force("link").links(links);
    if (isNew || before !== `${nodes.size} ${links.map((link) => link.key).join()}` || old !== width) {
      simulation.alpha(isNew ? 1 : 0.3).alphaDecay(nodes.size > 200 ? 0.06 : 0.03);
      if (still.matches || document.hidden) simulation.tick(nodes.size > 200 ? 80 : 200);
      else simulation.restart();
    }
    place();
    // It is as wide as its frame, which is known when it is on the page.
    requestAnimationFrame(() => {
      if (frame.isConnected && wide() !== width) {
        measure();
        simulation.alpha(0.5).restart();
      }
    });
    if (chosen) told.textContent = sayOf(chosen);
    return [frame, told, legend(ais)];
  };
}
