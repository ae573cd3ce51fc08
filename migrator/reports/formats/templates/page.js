
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const { plan, columns, rows, words } = JSON.parse($("data").textContent);
  const place = Object.fromEntries(columns.map((name, number) => [name, number]));
  const NUMBERS = new Set(["device_id", "overage_limit_planned", "overage_limit_observed", "sms_limit_planned", "sms_limit_observed"]);
  const SEARCHED = ["source_iccid", "target_iccid", "bucket", "code", "wave", "name_planned", "name_observed", "detail", "device_id", "job_ids"];
  const MB = 1048576;

  const value = (row, name) => {
    const held = row[place[name]];
    if (name === "name_observed" && held === 0) return row[place.name_planned];
    return words[name] && typeof held === "number" ? words[name][held] : held;
  };

  // --- search, filter, sort: they only ever make a list of row numbers ---

  let haystack = null;
  const searchable = () => {
    haystack ??= rows.map((row) => SEARCHED.map((name) => value(row, name) ?? "").join("\n").toLowerCase());
    return haystack;
  };
  const sortKeys = {};
  const keysOf = (name) => {
    sortKeys[name] ??= rows.map((row) => {
      const told = value(row, name);
      return told === null || told === "" ? null : NUMBERS.has(name) ? (told === -1 && name !== "device_id" ? Infinity : told) : told.toLowerCase();
    });
    return sortKeys[name];
  };
  const state = { sort: "source_iccid", up: true, page: 0, found: [] };

  const matches = (text) => {
    const terms = text.toLowerCase().split(/[\s,;]+/).map((term) => term.replace(/^'/, "")).filter(Boolean);
    if (!terms.length) return () => true;
    const hay = searchable();
    const isList = terms.length > 1 && terms.every((term) => /^\d{15,}$/.test(term));
    if (isList) return (number) => terms.some((term) => hay[number].includes(term));
    return (number) => terms.every((term) => hay[number].includes(term));
  };

  const find = () => {
    const fits = matches($("search").value);
    const wanted = ["bucket", "code", "wave"].map((name) => [place[name], $(name).value]).filter(([, chosen]) => chosen !== "");
    const found = [];
    for (let number = 0; number < rows.length; number += 1) {
      const row = rows[number];
      if (wanted.every(([at, chosen]) => String(row[at]) === chosen) && fits(number)) found.push(number);
    }
    const keys = keysOf(state.sort);
    const way = state.up ? 1 : -1;
    found.sort((a, b) => {
      const one = keys[a];
      const other = keys[b];
      if (one === other) return a - b;
      if (one === null) return 1; // what is unknown comes last, whichever way
      if (other === null) return -1;
      return one < other ? -way : way;
    });
    state.found = found;
    state.page = 0;
    show();
  };

  // --- showing one page; only ever as text ---

  const limitWords = (bytes) => {
    if (bytes === null) return "";
    if (bytes === -1) return "no limit";
    if (bytes > 0 && bytes < MB) return `${bytes.toLocaleString("en")} bytes`;
    return `${(bytes / MB).toLocaleString("en", { maximumFractionDigits: 2 })} MB`;
  };
  const countWords = (count) => (count === null ? "" : count === -1 ? "no limit" : count.toLocaleString("en"));
  const element = (name, kind, text) => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    made.textContent = text;
    return made;
  };
  const pair = (kind, planned, observed, words = (told) => told ?? "") => {
    const cell = element("td", kind, words(planned));
    if (observed !== null && observed !== planned) cell.append(element("span", "is", `is ${words(observed) || "empty"}`));
    return cell;
  };
  const clamped = (cell) => { // long texts are cut after two lines, until "Full text" is ticked
    const whole = element("div", "clamp", "");
    whole.append(...cell.childNodes);
    whole.title = whole.textContent;
    cell.append(whole);
    return cell;
  };
  const line = (row) => {
    const told = (name) => value(row, name);
    const made = document.createElement("tr");
    const bucket = element("td", "keep", told("bucket"));
    bucket.prepend(element("span", `dot d-${told("bucket")}`, ""));
    const isSettled = told("bucket") === "verified";
    made.append(
      element("td", "iccid", told("source_iccid")),
      element("td", "iccid", told("target_iccid") ?? ""),
      bucket,
      element("td", "keep", told("code")),
      element("td", "keep", told("wave") ?? ""),
      clamped(pair("", told("name_planned"), told("name_observed"))),
      pair("keep", told("state_planned"), isSettled ? null : told("state_observed")),
      pair("num", told("overage_limit_planned"), told("overage_limit_observed"), limitWords),
      pair("num", told("sms_limit_planned"), told("sms_limit_observed"), countWords),
      clamped(element("td", "", told("detail"))),
      element("td", "time", told("claimed_at") ?? ""),
      element("td", "time", told("verified_at") ?? ""),
      element("td", "num", told("device_id") ?? ""),
      clamped(element("td", "", told("job_ids"))),
    );
    return made;
  };

  const show = () => {
    const size = Number($("size").value);
    const total = state.found.length;
    const pages = Math.max(Math.ceil(total / size), 1);
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const start = state.page * size;
    const shown = state.found.slice(start, start + size);
    $("table").tBodies[0].replaceChildren(...shown.map((number) => line(rows[number])));
    const span = total ? `${(start + 1).toLocaleString("en")} to ${(start + shown.length).toLocaleString("en")} of ` : "";
    const whole = total === rows.length ? "" : ` found among ${rows.length.toLocaleString("en")}`;
    $("count").textContent = `${span}${total.toLocaleString("en")} SIMs${whole}`;
    $("printed").textContent = `Printed: SIMs ${$("count").textContent}. The file reconciliation.csv has every SIM.`;
    $("page").textContent = `Page ${(state.page + 1).toLocaleString("en")} of ${pages.toLocaleString("en")}`;
    for (const id of ["first", "previous"]) $(id).disabled = state.page === 0;
    for (const id of ["next", "last"]) $(id).disabled = state.page === pages - 1;
    for (const head of document.querySelectorAll("#table th")) {
      if (head.dataset.key === state.sort) head.setAttribute("aria-sort", state.up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  };

  // --- the rows found, as a file: safe for spreadsheets as reconciliation.csv is ---

  const csvCell = (told) => {
    if (told === null || told === undefined) return "";
    let text = String(told);
    const isFormula = /^[\t\r\n]|^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text);
    const isChanged = /^\s*(\d{16,}|0\d+|\d+(\.\d+)?[eE][+-]?\d+)\s*$/.test(text);
    if (typeof told === "string" && (isFormula || isChanged)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const download = () => {
    const lines = [columns.join(","), ...state.found.map((number) => columns.map((name) => csvCell(value(rows[number], name))).join(","))];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
    link.download = `reconciliation-${plan}-filtered.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  // --- wiring ---

  let waiting = 0;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(find, 120);
  };
  const turn = (page) => {
    state.page = page;
    show();
  };
  for (const name of ["bucket", "code", "wave"]) {
    const listed = words[name].map((word, number) => [word, number]).filter(([word]) => word !== "").sort(([a], [b]) => (a < b ? -1 : 1));
    $(name).append(...listed.map(([word, number]) => new Option(word, number)));
    $(name).addEventListener("change", find);
  }
  $("search").addEventListener("input", soon);
  $("size").addEventListener("change", () => turn(0));
  $("full").addEventListener("change", () => $("table").classList.toggle("full", $("full").checked));
  const form = document.querySelector(".filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    $("table").classList.remove("full");
    find();
  }, 0));
  $("download").addEventListener("click", download);
  $("first").addEventListener("click", () => turn(0));
  $("previous").addEventListener("click", () => turn(state.page - 1));
  $("next").addEventListener("click", () => turn(state.page + 1));
  $("last").addEventListener("click", () => turn(Infinity));
  $("table").tHead.addEventListener("click", (event) => {
    const key = event.target.closest("button")?.parentElement.dataset.key;
    if (!key) return;
    state.up = state.sort === key ? !state.up : true;
    state.sort = key;
    find();
  });
  const option = (name, word) => String(words[name].indexOf(word));
  for (const button of document.querySelectorAll("button[data-bucket]")) {
    button.addEventListener("click", () => {
      form.reset();
      $("bucket").value = option("bucket", button.dataset.bucket);
      $("code").value = option("code", button.dataset.code);
      setTimeout(() => {
        find();
        $("sims-h").scrollIntoView();
        $("sims-h").focus({ preventScroll: true });
      }, 0);
    });
  }
  document.documentElement.classList.add("js");
  find();
})();
