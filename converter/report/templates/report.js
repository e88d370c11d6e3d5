// Sorts a table by the column whose heading is clicked, numbers as numbers; a second click turns the order around.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  for (const heading of table.tHead.rows[0].cells) {
    heading.tabIndex = 0;
    heading.setAttribute("role", "button");
    const sort = () => {
      const numeric = heading.classList.contains("n");
      const before = heading.getAttribute("aria-sort");
      const descending = before ? before === "ascending" : numeric;
      const key = (row) => {
        const cell = row.cells[heading.cellIndex];
        return cell.dataset.sort ?? cell.textContent.trim();
      };
      const compare = numeric
        ? (a, b) => (parseFloat(key(a)) || 0) - (parseFloat(key(b)) || 0)
        : (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true });
      const rows = [...body.rows].sort(compare);
      body.append(...(descending ? rows.reverse() : rows));
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  }
}
const all = document.getElementById("all-layers");
const show = () => document.getElementById("layers").classList.toggle("all", all.checked);
all.addEventListener("change", show);
show();
