// Sorts a table by the column whose heading is clicked, numbers as numbers; a second click turns the order around.
// Cells without a number stay at the end.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  for (const heading of table.tHead.rows[0].cells) {
    heading.tabIndex = 0;
    heading.setAttribute("role", "button");
    const sort = () => {
      const numeric = heading.classList.contains("n");
      const before = heading.getAttribute("aria-sort");
      const descending = before ? before === "ascending" : numeric;
      const sign = descending ? -1 : 1;
      const key = (row) => {
        const cell = row.cells[heading.cellIndex];
        return cell.dataset.sort ?? cell.textContent.trim();
      };
      const compare = (a, b) => {
        if (!numeric) return sign * key(a).localeCompare(key(b), undefined, { numeric: true });
        const [first, second] = [parseFloat(key(a)), parseFloat(key(b))];
        if (isNaN(first) || isNaN(second)) return isNaN(first) - isNaN(second);
        return sign * (first - second);
      };
      body.append(...[...body.rows].sort(compare));
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    };
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sort();
    });
  }
}
