// Copies what a button stands for: the text it names, or the address of the link it is.

async function copy(text, button) {
  await navigator.clipboard.writeText(text);
  const label = button.querySelector("[data-label]") ?? button;
  const before = label.textContent;
  if (before === "Copied") return;
  label.textContent = "Copied";
  setTimeout(() => (label.textContent = before), 1600);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], a[data-copy-link]");
  if (!button || !navigator.clipboard) return;
  event.preventDefault();
  const text = button.href ?? document.getElementById(button.dataset.copy).textContent;
  copy(text, button);
});
