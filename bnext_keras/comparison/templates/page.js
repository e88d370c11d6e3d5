// A point tells what it is to pointer and keyboard, and its network is shown in all drawings and in the table.
const tip = document.getElementById("tip");
const marks = [...document.querySelectorAll(".mark")];
const rows = [...document.querySelectorAll("tr[data-network]")];
for (const mark of marks) {
  mark.querySelector("title").remove(); // the tip says the same
  mark.tabIndex = -1;
}
const choose = (network) => {
  for (const element of [...marks, ...rows]) {
    element.classList.toggle("chosen", network !== null && element.dataset.network === network);
  }
};
const show = (mark) => {
  choose(mark.dataset.network);
  tip.textContent = mark.getAttribute("aria-label");
  tip.hidden = false;
  const box = mark.getBoundingClientRect();
  const left = Math.min(box.right + 8, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(8, left) + scrollX}px`;
  tip.style.top = `${box.bottom + 8 + scrollY}px`;
};
const hide = () => {
  tip.hidden = true;
  choose(null);
};
for (const mark of marks) {
  mark.addEventListener("pointerenter", () => show(mark));
  mark.addEventListener("pointerleave", hide);
  mark.addEventListener("focus", () => show(mark));
  mark.addEventListener("blur", hide);
}
for (const row of rows) {
  row.addEventListener("pointerenter", () => choose(row.dataset.network));
  row.addEventListener("pointerleave", () => choose(null));
}
for (const panel of document.querySelectorAll(".panel")) {
  const left = (mark) => mark.getBBox().x;
  const own = [...panel.querySelectorAll(".mark")].sort((a, b) => left(a) - left(b));
  panel.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") document.activeElement.blur();
    if (!step) return;
    event.preventDefault();
    const at = own.indexOf(document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : own.length - 1) : (at + step + own.length) % own.length;
    own[next].focus();
  });
}
document.getElementById("filter").addEventListener("input", (event) => {
  const text = event.target.value.trim().toLowerCase();
  for (const element of [...marks, ...rows]) {
    element.classList.toggle("dimmed", !element.dataset.network.toLowerCase().includes(text));
  }
});
