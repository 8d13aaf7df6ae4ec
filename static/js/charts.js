// Draws each <figure data-chart> from the JSON beside it, in the theme's colours and the reader's clock.

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function colour(name) {
  probe.className = `ink-${name}`;
  return getComputedStyle(probe).color;
}

const MARKS = { open: "bad", forced_open: "bad", closed: "ok" };
const local = () => document.documentElement.dataset.clock === "local";

function wallClock(moment) {
  if (!local() || typeof moment === "number") return moment;
  const date = new Date(`${moment}Z`);
  return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

function dressTrace(trace) {
  if (trace.meta === "marks") {
    return { ...trace, x: trace.x.map(wallClock), marker: { ...trace.marker, color: trace.customdata.map((to) => colour(MARKS[to])) } };
  }
  const ink = colour(trace.meta);
  const dressed = { ...trace, x: trace.x.map(wallClock), marker: { ...trace.marker, color: ink } };
  if (trace.line) dressed.line = { ...trace.line, color: ink };
  if (trace.marker?.line) dressed.marker.line = { ...trace.marker.line, color: colour("surface") };
  if (trace.marker?.pattern) dressed.marker.pattern = { ...trace.marker.pattern, fgcolor: colour("surface") };
  if (trace.fill) dressed.fillcolor = ink.replace(/^rgb\((.*)\)$/, "rgba($1, 0.12)");
  return dressed;
}

function dressLayout(layout, element) {
  const ink = colour("quiet");
  const line = colour("line");
  const axis = { color: ink, gridcolor: line, linecolor: line, zeroline: false, automargin: true };
  const axes = {};
  for (const [name, own] of Object.entries(layout)) if (/^[xy]axis/.test(name)) axes[name] = { ...axis, ...own };
  axes.xaxis.range = layout.xaxis.range.map(wallClock);
  if (layout.xaxis.type === "date") axes.xaxis.hoverformat = "%Y-%m-%d %H:%M";
  return {
    ...layout,
    ...axes,
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
      line: { ...shape.line, color: colour(MARKS[shape.name]) },
    })),
  };
}

const config = { displayModeBar: false, displaylogo: false, showSendToCloud: false, responsive: true, showTips: false };
const drawn = new WeakMap();

function draw(figure, again = false) {
  const plot = figure.querySelector(".plot");
  const json = figure.querySelector('script[type="application/json"]')?.textContent;
  if (!plot || !json || (!again && drawn.get(plot) === json)) return;
  const { data, layout } = JSON.parse(json);
  Plotly.react(plot, data.map(dressTrace), dressLayout(layout, plot), config);
  drawn.set(plot, json);
}

const drawAll = (again) => document.querySelectorAll("figure[data-chart]").forEach((figure) => draw(figure, again));

drawAll();
document.addEventListener("htmx:afterSwap", () => drawAll());
document.addEventListener("themechange", () => drawAll(true));
document.addEventListener("clockchange", () => drawAll(true));
