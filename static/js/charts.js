// Draws each <figure data-chart> from the JSON beside it, in the theme's colours and the reader's clock. On a figure
// with data-zoom, to brush over a time shows that time; where it has data-operations, a click leads to those of a step.

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function colour(name) {
  probe.className = `ink-${name}`;
  return getComputedStyle(probe).color;
}

const local = () => document.documentElement.dataset.clock === "local";

function wallClock(moment) {
  if (!local() || typeof moment === "number") return moment;
  const date = new Date(`${moment}Z`);
  return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

const faint = (ink) => ink.replace(/^rgb\((.*)\)$/, "rgba($1, 0.12)");

// Steps come as the first and the distance to the next; by the reader's clock they are not all equally far apart.
const stepsOf = ({ x0, dx, y }) => y.map((_, step) => new Date(Date.parse(`${x0}Z`) + step * dx).toISOString().slice(0, 19));

function dressTrace(trace, isTime) {
  if (trace.meta === "marks") {
    return { ...trace, x: trace.x.map(wallClock), marker: { ...trace.marker, color: trace.customdata.map(colour) } };
  }
  const ink = colour(trace.meta);
  const x = trace.x ?? stepsOf(trace);
  const dressed = { ...trace, x: isTime ? x.map(wallClock) : x, marker: { ...trace.marker, color: ink } };
  if (trace.line) dressed.line = { ...trace.line, color: ink };
  if (trace.marker?.line) dressed.marker.line = { ...trace.marker.line, color: colour("surface") };
  if (trace.marker?.pattern) dressed.marker.pattern = { ...trace.marker.pattern, fgcolor: colour("surface") };
  if (trace.fill) dressed.fillcolor = faint(ink);
  return dressed;
}

function dressLayout(layout, element) {
  const ink = colour("quiet");
  const line = colour("line");
  const axis = { color: ink, gridcolor: line, linecolor: line, zeroline: false, automargin: true };
  const axes = {};
  for (const [name, own] of Object.entries(layout)) if (/^[xy]axis/.test(name)) axes[name] = { ...axis, ...own };
  if (layout.xaxis.type === "date") axes.xaxis.range = layout.xaxis.range.map(wallClock);
  if (layout.xaxis.type === "date") axes.xaxis.hoverformat = "%Y-%m-%d %H:%M";
  const isCrowded = layout.meta === "many lines" && element.clientWidth < 480;
  return {
    ...layout,
    ...axes,
    showlegend: layout.showlegend && !isCrowded,
    uirevision: `${location.search}${local()}`,
    margin: layout.margin ?? { l: 44, r: layout.yaxis2 ? 44 : 12, t: 28, b: 24 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(element).fontFamily, size: 11.5, color: ink },
    legend: { orientation: "h", x: 0, y: 1, xanchor: "left", yanchor: "bottom", itemwidth: 30, bgcolor: "rgba(0,0,0,0)" },
    hoverlabel: { bgcolor: colour("raised"), bordercolor: line, font: { color: colour("text") } },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    shapes: layout.shapes?.map((shape) => ({
      ...shape,
      x0: wallClock(shape.x0),
      x1: wallClock(shape.x1),
      line: { ...shape.line, color: colour(shape.name) },
      ...(shape.type === "rect" && { fillcolor: faint(colour(shape.name)) }),
    })),
  };
}

const config = { displayModeBar: false, displaylogo: false, showSendToCloud: false, responsive: true, showTips: false };
const drawn = new WeakMap();

function draw(figure, again = false) {
  const plot = figure.querySelector(".plot");
  const json = figure.querySelector('script[type="application/json"]')?.textContent;
  if (!plot || !json || !plot.checkVisibility() || (!again && drawn.get(plot) === json)) return;
  const { data, layout } = JSON.parse(json);
  const isTime = layout.xaxis.type === "date";
  Plotly.react(plot, data.map((trace) => dressTrace(trace, isTime)), dressLayout(layout, plot), config);
  if (!drawn.has(plot) && "zoom" in figure.dataset) follow(figure, plot);
  drawn.set(plot, json);
}

const utc = (shown) => {
  const [day, time = "00:00"] = String(shown).split(/[ T]/);
  const moment = `${day}T${time.slice(0, 8)}`;
  return new Date(local() ? moment : `${moment}Z`);
};
const minute = (date) => `${date.toISOString().slice(0, 16)}Z`;

function show(address, from, to) {
  const url = new URL(address, location.href);
  url.searchParams.delete("range");
  url.searchParams.set("from", minute(from));
  url.searchParams.set("to", minute(to));
  location.assign(url);
}

function follow(figure, plot) {
  plot.on("plotly_relayout", (change) => {
    const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    if (from && to) show(location.href, utc(from), new Date(utc(to).getTime() + 60000));
  });
  const step = Number(figure.dataset.step) * 1000;
  if (!figure.dataset.operations) return;
  plot.on("plotly_click", ({ points: [point] }) => {
    if (point.data.meta === "marks") return;
    const from = utc(point.x);
    show(figure.dataset.operations, from, new Date(from.getTime() + step));
  });
}

const drawAll = (again) => document.querySelectorAll("figure[data-chart]").forEach((figure) => draw(figure, again));

for (const folding of document.querySelectorAll("details.folding")) {
  if (matchMedia("(max-width: 48rem)").matches) folding.open = false;
  folding.addEventListener("toggle", () => drawAll(true));
}
drawAll();
document.addEventListener("htmx:afterSwap", () => drawAll());
document.addEventListener("themechange", () => drawAll(true));
document.addEventListener("clockchange", () => drawAll(true));
