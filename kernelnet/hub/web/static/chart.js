// Time series that stay on the page while they are fed: by uPlot, in colours of the page, in its width.
import { h } from "./dom.js";

const charts = new Map();
const dark = matchMedia("(prefers-color-scheme: dark)");
const HEIGHT = 220;

export function forgetCharts() {
  for (const { plot } of charts.values()) plot?.destroy();
  charts.clear();
}
dark.addEventListener("change", () => { forgetCharts(); document.dispatchEvent(new Event("redraw")); });

const clock = (seconds, step) => step >= 43200 ? new Date(seconds * 1000).toLocaleDateString([], { day: "numeric", month: "short" }) : new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: step < 60 ? "2-digit" : undefined, hourCycle: "h23" });

// key: the same for the same chart; words: what it shows; series: [{label, …}] as uPlot has them, without the time's.
// range: of y, as uPlot has it; data: [times (Unix seconds), values …].  Options: from and to, the times that all charts of a
// view show, whose cursors then move together; numbers: x is no time but a number; roots: a spike leaves room for the rest.
export function chart(key, words, series, data, range, options = {}) {
  const signature = series.map(({ label }) => label).join("\n");
  let entry = charts.get(key);
  if (!entry || entry.signature !== signature) {
    entry?.plot?.destroy();
    entry = { place: h("div", { class: "chart", role: "img" }), signature, plot: null };
    charts.set(key, entry);
  }
  Object.assign(entry, { series, data, range, options });
  entry.place.setAttribute("aria-label", words);
  requestAnimationFrame(() => paint(entry));
  return entry.place;
}

function paint(entry) {
  if (!entry.place.isConnected || !window.uPlot) return;
  const width = Math.max(240, entry.place.clientWidth);
  if (entry.plot) {
    if (entry.plot.width !== width) entry.plot.setSize({ width, height: HEIGHT });
    entry.plot.setData(entry.data);
    if (entry.options.from) entry.plot.setScale("x", { min: entry.options.from, max: entry.options.to });
    return;
  }
  const ink = dark.matches ? "#e6e9ed" : "#1b1f24";
  const grid = { stroke: dark.matches ? "#373e47" : "#d0d7de", width: 1 };
  const axis = { stroke: ink, grid, ticks: grid, font: "12px system-ui, sans-serif" };
  const { numbers, from, to, roots } = entry.options;
  const times = { ...axis, space: 90, values: (_, splits) => splits.map((at) => (numbers ? at.toLocaleString() : clock(at, splits[1] - splits[0]))) };
  const told = numbers ? { label: numbers, value: shownAs((at) => at.toLocaleString()) } : { label: "time", value: shownAs((at) => clock(at, 1)) };
  entry.plot = new window.uPlot(
    {
      width,
      height: HEIGHT,
      series: [told, ...entry.series],
      axes: [times, { ...axis, size: 56 }],
      scales: { x: { time: !numbers, ...(from && { min: from, max: to, auto: false }) }, y: { range: entry.range, ...(roots && { distr: 4, asinh: roots }) } },
      cursor: { drag: { x: false, y: false }, ...(from && { sync: { key: "times" } }) },
      legend: { markers: { width: 3, fill: "transparent", dash: (_, i) => dashOf(entry.series[i - 1]) } },
    },
    entry.data,
    entry.place,
  );
}

// What the legend says: of the moment that is pointed at, else the last thing that was told (undefined: not told then; null: nothing).
const shownAs = (words) => (plot, value, i, at) => {
  const shown = at === null || at === undefined ? plot.data[i]?.findLast((one) => one !== undefined) : value;
  return shown === null || shown === undefined ? "–" : words(shown);
};

const dashOf = (series) => (!series?.dash?.length ? "solid" : series.dash[0] < 4 ? "dotted" : "dashed");

// Colours and dashes that stay apart also for those who see no colours.
const STROKES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c00", "#7f7f7f"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [14, 4], [4, 2], [3, 2], [6, 2, 2, 2]];
export const style = (i) => ({ stroke: STROKES[i % STROKES.length], dash: DASHES[i % DASHES.length], width: 2, points: { show: false }, value: shownAs((value) => Number(value.toPrecision(4)).toLocaleString()) });
