// Draws Slack's charts and tables: simple bars and lines, with every number in words for who cannot see them.
import { element } from "./preview-mrkdwn.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 560;
const HEIGHT = 180;
const BOTTOM = 24;
const LEFT = 36;
const COLOURS = 6;

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const number = (raw) => (Number.isFinite(Number(raw)) ? Number(raw) : 0);
const valueAt = (line, label) => number((line.data.find((point) => point.label === label) || {}).value);

function axes(categories, top) {
  const nodes = [svg("line", { x1: LEFT, y1: HEIGHT - BOTTOM, x2: WIDTH, y2: HEIGHT - BOTTOM, class: "axis" })];
  nodes.push(svg("text", { x: LEFT - 6, y: 12, "text-anchor": "end" }, String(top)));
  nodes.push(svg("text", { x: LEFT - 6, y: HEIGHT - BOTTOM, "text-anchor": "end" }, "0"));
  const step = (WIDTH - LEFT) / categories.length;
  const every = Math.ceil(categories.length / 10);
  categories.forEach((category, at) => {
    if (at % every) return;
    nodes.push(svg("text", { x: LEFT + (at + 0.5) * step, y: HEIGHT - 6, "text-anchor": "middle" }, String(category)));
  });
  return nodes;
}

function bars(series, categories, height) {
  const step = (WIDTH - LEFT) / categories.length;
  const wide = (step * 0.8) / series.length;
  return series.flatMap((line, nth) => categories.map((category, at) => {
    const tall = height(valueAt(line, category));
    const x = LEFT + at * step + step * 0.1 + nth * wide;
    return svg("rect", { x, y: HEIGHT - BOTTOM - tall, width: Math.max(1, wide - 1), height: tall, class: `c${nth % COLOURS}` });
  }));
}

function lines(series, categories, height) {
  const step = (WIDTH - LEFT) / categories.length;
  return series.map((line, nth) => {
    const points = categories.map((category, at) => `${LEFT + (at + 0.5) * step},${HEIGHT - BOTTOM - height(valueAt(line, category))}`);
    return svg("polyline", { points: points.join(" "), class: `line c${nth % COLOURS}` });
  });
}

function asSeries(chart) {
  if (chart.type !== "pie") return { series: chart.series, categories: chart.axis_config.categories };
  const categories = chart.segments.map((segment) => segment.label);
  return { series: [{ name: "", data: chart.segments }], categories };
}

export function chart(block) {
  const { series, categories } = asSeries(block.chart);
  const top = Math.max(1, ...series.flatMap((line) => line.data.map((point) => number(point.value))));
  const height = (value) => (Math.max(0, value) / top) * (HEIGHT - BOTTOM - 14);
  const draw = block.chart.type === "bar" || block.chart.type === "pie" ? bars : lines;
  const told = series.map((line) => `${line.name}: ${line.data.map((point) => `${point.label} ${point.value}`).join(", ")}`);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${block.title}. ${told.join(". ")}` });
  drawn.append(...axes(categories, top), ...draw(series, categories, height));
  const legend = element("ul", { class: "legend" });
  series.forEach((line, nth) => {
    if (line.name) legend.append(element("li", {}, element("span", { class: `swatch c${nth % COLOURS}`, "aria-hidden": "true" }), line.name));
  });
  return element("figure", { class: "chart" }, element("figcaption", {}, block.title), drawn, legend);
}

const cellText = (cell) => String(cell.text ?? cell.value ?? "");

export function table(block) {
  const [head, ...rows] = block.rows;
  const nodes = head.map((cell) => element("th", { scope: "col" }, cellText(cell)));
  const body = rows.map((row) => element("tr", {}, ...row.map((cell, at) => {
    const digits = cell.type === "raw_number" ? "digits" : undefined;
    return at === (block.row_header_column_index ?? 0)
      ? element("th", { scope: "row" }, cellText(cell))
      : element("td", { class: digits }, cellText(cell));
  })));
  const made = element("table", {}, element("caption", {}, block.caption));
  made.append(element("thead", {}, element("tr", {}, ...nodes)), element("tbody", {}, ...body));
  return element("div", { class: "table", tabindex: "0", role: "group", "aria-label": block.caption }, made);
}
