/*
Copyright (c) 2026, infogerance.perimeter contributors
GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later

Languages, filters, sorting and pages. What was recorded only ever becomes text (textContent), never markup.
*/
(() => {
  "use strict";
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 25;
  const PRINTED = 1000;
  const tables = [];

  const language = () => (root.lang === "fr" ? 0 : 1);
  const pick = (text) => (Array.isArray(text) ? text[language()] : text);
  const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const number = (value) => value.toLocaleString(root.lang === "fr" ? "fr-FR" : "en-GB");
  const word = (key, values) =>
    pick(data.words[key]).replace(/\{(\w+)\}/g, (_all, name) => String(values[name]));

  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  const inner = (cell) => {
    const text = pick(cell.t);
    if (cell.h) {
      const link = make("a", "drill", text);
      link.href = cell.h + "#lang=" + root.lang;
      return link;
    }
    if (cell.b) return make("span", "badge " + cell.b, text);
    return cell.c ? make("code", "", text) : document.createTextNode(text);
  };

  const fill = (node, cell, opened) => {
    node.append(inner(cell));
    for (const below of cell.m || []) {
      const line = make("div", "below");
      line.append(inner(below));
      node.append(line);
    }
    if (cell.d) {
      const details = make("details");
      details.open = opened;
      const list = make("ul");
      for (const line of cell.d[1]) list.append(make("li", "", pick(line)));
      details.append(make("summary", "", pick(cell.d[0])), list);
      node.append(details);
    }
  };

  class Table {
    constructor(node, given) {
      this.node = node;
      this.columns = given.columns;
      this.rows = given.rows;
      this.order = { column: given.order[0], down: given.order[1] === "descending" };
      this.body = node.querySelector("tbody");
      this.pager = node.querySelector(".pager");
      this.tools = node.querySelector(".tools");
      this.search = node.querySelector("input[type=search]");
      this.selects = [...node.querySelectorAll("select")];
      this.reset = node.querySelector(".reset");
      this.page = 0;
      this.texts = {};
      this.given = true;
      this.found = this.rows;
      this.listen();
      node.querySelector(".more")?.remove();
      this.speak();
    }

    listen() {
      this.heads = [...this.node.querySelectorAll("thead th")];
      this.heads.forEach((head, column) => {
        const button = make("button");
        button.type = "button";
        button.append(...head.childNodes);
        head.append(button);
        button.addEventListener("click", () => {
          const same = this.order.column === column;
          this.order = { column, down: same ? !this.order.down : false };
          this.given = false;
          this.page = 0;
          this.refresh();
        });
      });
      this.pager.querySelector(".previous").addEventListener("click", () => this.turn(-1));
      this.pager.querySelector(".next").addEventListener("click", () => this.turn(1));
      if (!this.tools) return;
      this.tools.hidden = false;
      const changed = () => {
        this.page = 0;
        this.refresh();
      };
      this.search.addEventListener("input", changed);
      for (const select of this.selects) select.addEventListener("change", changed);
      this.reset.addEventListener("click", () => {
        this.search.value = "";
        for (const select of this.selects) select.value = "";
        changed();
        this.search.focus();
      });
    }

    turn(step) {
      this.page += step;
      this.draw();
    }

    /* In the page's language: what can be chosen, and what is shown. */
    speak() {
      for (const select of this.selects) {
        const column = Number(select.dataset.column);
        const chosen = select.value;
        const known = new Map();
        for (const row of this.rows) {
          for (const value of this.choices(row[column])) known.set(JSON.stringify(value), pick(value));
        }
        const options = [...known].sort((a, b) => a[1].localeCompare(b[1], root.lang));
        const all = make("option", "", word("filter_all", {}));
        all.value = "";
        select.replaceChildren(all, ...options.map(([value, text]) => {
          const option = make("option", "", text);
          option.value = value;
          return option;
        }));
        select.value = chosen;
      }
      this.refresh();
    }

    choices(cell) {
      return cell.f || (cell.t === "" ? [] : [cell.t]);
    }

    /* All that a row says, for the search; made when it is first needed. */
    text(row, place) {
      const kept = (this.texts[root.lang] ||= []);
      return (kept[place] ||= plain(row.map((cell) =>
        [pick(cell.t), ...(cell.m || []).map((below) => pick(below.t)), ...(cell.d ? cell.d[1].map(pick) : [])].join(" ")
      ).join(" ")));
    }

    refresh() {
      const words = this.search ? plain(this.search.value).split(/\s+/).filter(Boolean) : [];
      const wanted = this.selects.filter((select) => select.value !== "")
        .map((select) => [Number(select.dataset.column), select.value]);
      let found = this.rows;
      if (words.length || wanted.length) {
        found = this.rows.filter((row, place) =>
          wanted.every(([column, value]) => this.choices(row[column]).some((each) => JSON.stringify(each) === value))
          && (!words.length || words.every((each) => this.text(row, place).includes(each))));
      }
      this.found = this.given ? found : this.sorted(found);
      if (this.reset) this.reset.hidden = !words.length && !wanted.length;
      this.draw();
    }

    sorted(rows) {
      const { column, down } = this.order;
      const compare = new Intl.Collator(root.lang, { numeric: true }).compare;
      const keyed = rows.map((row) => [row[column].s ?? pick(row[column].t), row]);
      const order = (a, b) => (typeof a[0] === "number" && typeof b[0] === "number"
        ? a[0] - b[0] : compare(String(a[0]), String(b[0])));
      keyed.sort(down ? (a, b) => order(b, a) : order);
      return keyed.map((pair) => pair[1]);
    }

    draw(size = PAGE, opened = false) {
      const count = this.found.length;
      const pages = Math.max(1, Math.ceil(count / size));
      const page = Math.min(Math.max(0, this.page), pages - 1);
      if (size === PAGE) this.page = page;
      const begin = size === PAGE ? page * size : 0;
      const lines = document.createDocumentFragment();
      for (const row of this.found.slice(begin, begin + size)) {
        const line = make("tr");
        row.forEach((cell, column) => {
          const node = make(column ? "td" : "th", this.columns[column]);
          if (!column) node.scope = "row";
          fill(node, cell, opened);
          line.append(node);
        });
        lines.append(line);
      }
      this.body.replaceChildren(lines);
      this.heads.forEach((head, column) => {
        if (column === this.order.column) head.setAttribute("aria-sort", this.order.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      const status = this.pager.querySelector(".status");
      const last = Math.min(count, begin + size);
      status.textContent = count === 0 ? word("showing_none", {})
        : word(count === this.rows.length ? "showing" : "showing_filtered", {
          first: number(begin + 1), last: number(last), count: number(count), all: number(this.rows.length),
        });
      const narrow = pages === 1;
      this.pager.querySelector(".previous").disabled = page === 0;
      this.pager.querySelector(".next").disabled = page === pages - 1;
      this.pager.querySelector(".previous").hidden = this.pager.querySelector(".next").hidden = narrow;
      this.pager.hidden = narrow && count === this.rows.length;
    }

    /* On paper there are no pages to turn: all that is found, up to a thousand lines. */
    print() {
      this.draw(PRINTED, true);
      if (this.found.length > PRINTED) {
        const rest = word("more_rows", { count: number(this.found.length - PRINTED) });
        this.node.append(make("p", "more", rest));
      }
    }

    screen() {
      this.node.querySelector(".more")?.remove();
      this.draw();
    }
  }

  const speak = (chosen) => {
    root.lang = chosen;
    document.title = pick(data.title);
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === chosen));
    }
    for (const link of document.querySelectorAll(".up a")) link.hash = "lang=" + chosen;
    for (const table of tables) table.speak();
  };

  for (const node of document.querySelectorAll("[data-table]")) {
    tables.push(new Table(node, data.tables[node.dataset.table]));
  }
  const controls = document.getElementById("controls");
  controls.hidden = false;
  controls.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.language) speak(button.dataset.language);
  });
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  document.getElementById("print").addEventListener("click", () => window.print());
  const folded = new Set();
  addEventListener("beforeprint", () => {
    for (const table of tables) table.print();
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      folded.add(details);
    }
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
    folded.clear();
    for (const table of tables) table.screen();
  });
  const asked = /^#lang=(fr|en)$/.exec(location.hash);
  speak(asked ? asked[1] : root.lang);
})();
