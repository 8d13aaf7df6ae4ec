// A refresh leaves alone what the reader has in hand: open details, ticked boxes, drawn charts, running times, and the
// order of rows.

const keepsAsIs = (old, fresh) =>
  old.nodeType === Node.ELEMENT_NODE &&
  (old.hasAttribute("data-keep") ||
    (old.localName === "time" && old.dateTime === fresh.dateTime && old.dataset.show === fresh.dataset?.show));

Object.assign(Idiomorph.defaults.callbacks, {
  beforeNodeMorphed: (old, fresh) => !keepsAsIs(old, fresh),
  beforeAttributeUpdated: (name, element) =>
    !(name === "open" && element.localName === "details") && !(name === "checked" && element.type === "checkbox"),
});

function inTheReadersOrder(container, fresh) {
  const order = new Map([...container.children].map((row, index) => [row.id, index]));
  const place = (row) => order.get(row.id) ?? Infinity;
  const rows = [...fresh.children];
  rows.sort((a, b) => place(a) - place(b) || rows.indexOf(a) - rows.indexOf(b));
  fresh.append(...rows);
}

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!detail.shouldSwap || !detail.target.querySelector("[data-steady]")) return;
  const template = document.createElement("template");
  template.innerHTML = detail.serverResponse;
  for (const fresh of template.content.querySelectorAll("[data-steady]")) {
    const container = document.getElementById(fresh.id);
    if (container) inTheReadersOrder(container, fresh);
  }
  detail.serverResponse = template.innerHTML;
});
