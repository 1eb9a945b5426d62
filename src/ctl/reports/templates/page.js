"use strict";
(() => {
  const each = (root, selector, work) => root.querySelectorAll(selector).forEach(work);
  const make = (name, text) => { const node = document.createElement(name); if (text !== undefined) node.textContent = text; return node; };
  const plain = (value) => value && Math.abs(value) < 1e-6 ? value.toFixed(12).replace(/0+$/, "") : String(value);
  const shown = (value) => value === null || value === undefined ? "-" : typeof value === "number" ? plain(value) : value;

  // ------------------------------------------------ pictures: what a pointer or the arrow keys show
  const share = (found, day) => 1000 * (day - found.x[0]) / (found.x[1] - found.x[0]);
  const read = (figure) => {
    if (!figure.readings) {
      const found = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
      if (found.d) {
        let day = 0;
        found.days = found.d.map((step) => (day += step));
        found.p = found.days.map((number) => share(found, number));
        found.l = found.days.map((number) => new Date(number * 864e5).toISOString().slice(0, 10));
      }
      figure.readings = found;
    }
    return figure.readings;
  };
  const place = (figure, k, at) => {
    const r = read(figure), cross = figure.querySelector("g.cross"), plot = cross.closest("svg");
    figure.at = k;
    cross.textContent = "";
    const out = figure.querySelector("output.at");
    out.textContent = "";
    if (k === null) return;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line"), x = (at ?? r.p[k]) / 10 + "%";
    for (const [name, value] of [["x1", x], ["x2", x], ["y1", 0], ["y2", plot.getAttribute("height")], ["stroke", "currentColor"], ["stroke-opacity", ".5"]]) line.setAttribute(name, value);
    cross.append(line);
    out.append(make("b", r.l[k]));
    for (const [name, values] of Object.entries(r.c)) if (values[k] !== null && values[k] !== "") out.append(`  ${name} ${shown(values[k])}`);
    if (r.n[k]) out.append(" - ", make("b", r.n[k]));
  };
  const nearest = (sorted, wanted) => {
    let best = 0;
    sorted.forEach((value, k) => { if (Math.abs(value - wanted) < Math.abs(sorted[best] - wanted)) best = k; });
    return best;
  };
  const point = (figure, k) => {
    place(figure, k);
    const r = read(figure);
    if (!r.days) return;
    each(document, "figure", (other) => {
      if (other === figure || other.dataset.group !== figure.dataset.group || !other.querySelector("script")) return;
      const found = read(other);
      if (!found.days || !other.offsetParent) return;
      const at = k === null ? -1 : share(found, r.days[k]);
      place(other, at < 0 || at > 1000 ? null : nearest(found.days, r.days[k]), at);
    });
  };
  const pictures = (root) => each(root, "figure", (figure) => {
    const picture = figure.querySelector(".picture");
    if (!picture || !figure.querySelector("script[type='application/json']")) return;
    const follow = (event) => {
      const box = figure.querySelector("svg.plot").getBoundingClientRect();
      point(figure, nearest(read(figure).p, 1000 * (event.clientX - box.left) / box.width));
    };
    picture.addEventListener("pointerdown", follow);
    picture.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" || event.buttons) follow(event); });
    picture.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && document.activeElement !== picture) point(figure, null); });
    picture.addEventListener("keydown", (event) => {
      const last = read(figure).p.length - 1, at = figure.at ?? null;
      const to = { ArrowLeft: at === null ? last : Math.max(at - 1, 0), ArrowRight: at === null ? 0 : Math.min(at + 1, last), Home: 0, End: last, Escape: null }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      point(figure, to);
    });
    const numbers = figure.querySelector("details.numbers");
    numbers?.addEventListener("toggle", () => {
      if (numbers.querySelector("table")) return;
      const r = read(figure), table = make("table"), head = table.createTHead().insertRow(), body = table.createTBody();
      const noted = Object.keys(r.n).length > 0, names = Object.keys(r.c), dated = /^\d{4}-/.test(r.l[0]);
      const figures = names.filter((name) => r.c[name].some((value) => typeof value === "number"));
      [dated ? "date" : "at", ...names, ...(noted ? ["note"] : [])].forEach((name) => { const cell = make("th", name); cell.scope = "col"; if (figures.includes(name)) cell.className = "n"; head.append(cell); });
      r.l.forEach((label, k) => {
        const row = body.insertRow(), first = make("th", label);
        first.scope = "row";
        if (dated) first.className = "day";
        row.append(first);
        names.forEach((name) => { const cell = row.insertCell(); cell.textContent = shown(r.c[name][k]); if (figures.includes(name)) cell.className = "n"; });
        if (noted) row.insertCell().textContent = r.n[k] ?? "";
      });
      const tabled = make("div"), scroll = make("div");
      tabled.className = "tabled"; scroll.className = "scroll"; scroll.tabIndex = 0; table.className = "sortable"; table.dataset.words = 1;
      scroll.append(table); tabled.append(scroll); numbers.append(tabled);
      tables(numbers);
    });
  });

  // ------------------------------------------------ tables: sorted by a column, copied as CSV
  const value = (row, k) => {
    const text = row.cells[k].textContent.trim(), number = Number(text.replace(/[,%+\s]/g, ""));
    return text === "" || text === "-" ? null : Number.isNaN(number) ? text : number;
  };
  const sort = (table, k) => {
    const heads = table.tHead.rows[0].cells, down = heads[k].getAttribute("aria-sort") === "ascending";
    [...heads].forEach((head) => head.removeAttribute("aria-sort"));
    heads[k].setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [row.classList.contains("total"), value(row, k), row]);
    rows.sort(([total, a], [total2, b]) => {
      if (total !== total2) return total - total2;
      if (a === null || b === null) return (a === null) - (b === null);
      const order = typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows.map(([, , row]) => row));
  };
  const quoted = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const csv = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => quoted(cell.textContent.trim())).join(",")).join("\n") + "\n";
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); } catch {
      const area = make("textarea", text);
      document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
    }
  };
  const tables = (root) => each(root, "table.sortable", (table) => {
    [...table.tHead.rows[0].cells].forEach((head, k) => {
      if (!head.textContent) return;
      const button = make("button", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => sort(table, k));
    });
    const button = make("button", "copy CSV");
    button.type = "button"; button.className = "copy";
    button.addEventListener("click", async () => { await copy(csv(table)); button.textContent = "copied"; setTimeout(() => { button.textContent = "copy CSV"; }, 1500); });
    table.closest(".tabled").append(button);
  });
  const wide = (root) => each(root, ".scroll", (box) => { if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; });

  // ------------------------------------------------ many symbols: a grid, details drawn when asked for
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
  };
  const grid = document.getElementById("grid"), opened = document.getElementById("opened");
  const cells = grid ? [...grid.children] : [];
  const open = async (cell) => {
    const number = cells.indexOf(cell), id = `opened-${number}`, before = document.getElementById(id);
    cell.setAttribute("aria-expanded", String(!before));
    if (before) return before.remove();
    const part = make("section");
    part.id = id; part.className = "symbol"; part.tabIndex = -1;
    part.innerHTML = await unpack(document.getElementById(`packed-${number}`).textContent);
    opened.prepend(part);
    ready(part);
    part.focus();
  };
  if (grid) {
    const count = document.getElementById("count"), filter = document.getElementById("filter");
    grid.addEventListener("click", (event) => { const cell = event.target.closest("button"); if (cell) open(cell); });
    grid.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], seen = cells.filter((cell) => !cell.hidden);
      if (step) seen[seen.indexOf(document.activeElement) + step]?.focus();
    });
    const narrow = () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      cells.forEach((cell) => { const text = cell.dataset.words.toLowerCase(); cell.hidden = !words.every((word) => text.includes(word)); left += !cell.hidden; });
      count.textContent = `${left} of ${cells.length} symbols`;
    };
    filter.addEventListener("input", narrow);
    filter.addEventListener("keydown", (event) => { if (event.key === "Enter") { const cell = cells.find((item) => !item.hidden); if (cell) open(cell); } });
  }

  // ------------------------------------------------ print: everything unfolded
  let folded = [];
  addEventListener("beforeprint", () => { folded = [...document.querySelectorAll("details:not(.numbers):not([open])")]; folded.forEach((item) => { item.open = true; }); });
  addEventListener("afterprint", () => folded.forEach((item) => { item.open = false; }));

  const ready = (root) => { pictures(root); tables(root); wide(root); };
  ready(document);
  document.documentElement.dataset.ready = "yes";
})();
