// A menu that opened closes by Escape, by a click elsewhere, and when the focus leaves it.

const opened = () => document.querySelectorAll("details.popover[open]");

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const popover of opened()) {
    popover.open = false;
    popover.querySelector("summary").focus();
  }
});

document.addEventListener("click", (event) => {
  for (const popover of opened()) if (!popover.contains(event.target)) popover.open = false;
});

document.addEventListener("focusout", (event) => {
  const popover = event.target.closest?.("details.popover[open]");
  if (popover && event.relatedTarget && !popover.contains(event.relatedTarget)) popover.open = false;
});
