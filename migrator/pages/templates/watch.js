"use strict";
(() => {
  // Looks at this very page again and again, and puts what changed in the place of what was.
  const LOST_AFTER = 2;
  const status = document.getElementById("live");
  const every = () => Number(document.body.dataset.every) * 1000;
  let failures = 0;
  let timer = 0;

  const tell = (state, words) => {
    if (!status || status.textContent === words) return; // read aloud once, as it changes
    document.body.classList.toggle("is-live", state === "live");
    document.body.classList.toggle("is-lost", state === "lost");
    status.textContent = words;
  };

  const openOnes = (was, now) => {
    const open = new Set([...was.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
    for (const one of now.querySelectorAll("summary")) one.parentElement.open = open.has(one.textContent);
  };
  const isSelected = (part) => {
    const selected = document.getSelection();
    return Boolean(selected && !selected.isCollapsed && part.contains(selected.anchorNode));
  };
  const put = (was, now) => {
    openOnes(was, now);
    if (was.outerHTML === now.outerHTML || isSelected(was)) return;
    const active = was.contains(document.activeElement) ? document.activeElement : null;
    const [name, address] = [active?.id, active?.getAttribute("href")];
    const [left, top] = [was.scrollLeft, was.scrollTop];
    was.replaceWith(now);
    now.scrollLeft = left;
    now.scrollTop = top;
    if (!active) return;
    const same = (name && document.getElementById(name)) || (address && now.querySelector(`a[href="${CSS.escape(address)}"]`));
    (same || document.getElementById("main")).focus({ preventScroll: true });
  };

  const parts = (page) => new Map([...page.querySelectorAll("[data-live][id]")].map((part) => [part.id, part]));
  const swap = (next) => {
    const [mine, theirs] = [parts(document), parts(next)];
    const isSame = mine.size === theirs.size && [...mine.keys()].every((id) => theirs.has(id));
    const main = document.getElementById("main");
    if (!isSame) put(main, next.getElementById("main"));
    for (const [id, part] of mine) {
      if (theirs.has(id) && (isSame || !main.contains(part))) put(part, theirs.get(id));
    }
    document.body.dataset.every = next.body.dataset.every;
    document.title = next.title;
  };

  const look = async () => {
    if (document.hidden) return plan();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
      if (answer.status === 401) return tell("lost", "logged out: load the page again, as of");
      swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
      failures = 0;
      if (answer.status < 500) tell("live", "live");
      else tell("lost", "the store cannot be read, as of");
    } catch {
      failures += 1;
      if (failures >= LOST_AFTER) tell("lost", "no answer from the server, as of");
    }
    return plan();
  };
  const plan = () => {
    clearTimeout(timer);
    timer = setTimeout(look, every() || 10000);
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look();
  });
  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("q");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !search) return;
    if (event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
  document.addEventListener("change", (event) => event.target.closest("form[data-auto]")?.requestSubmit());
  if (every()) {
    tell("live", "live");
    plan();
  }
})();
