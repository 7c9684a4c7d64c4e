"use strict";
// What every page can do beside its links: theme, keys, times as people say them, telling screen readers what changed.
(() => {
  const root = document.documentElement;
  const said = document.getElementById("said");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // ---- links that MLflow's clients print: what stands behind the # never reached the server, which knows the way
  const follow = () => { if (/^#\/(?![/\\])/.test(location.hash)) location.replace(location.hash.slice(1)); };
  addEventListener("hashchange", follow);
  follow();

  // ---- light and dark: the choice is a cookie, so that the server draws the next page in it from the start
  document.querySelector("[data-theme-button]").addEventListener("click", () => {
    const dark = getComputedStyle(root).colorScheme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
    said.textContent = `${root.dataset.theme} colours`;
    dispatchEvent(new Event("themechange"));
  });

  // ---- what was done is said once: a page that is loaded again, or sent to somebody, does not repeat it
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(history.state, "", here);
  }

  // ---- keys
  addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      document.getElementById("find").focus();
    }
    if (event.key === "Escape") {
      const open = event.target.closest("details.drop[open]");
      if (open) { open.open = false; open.querySelector("summary").focus(); }
    }
  });
  document.addEventListener("toggle", (event) => { // a form that opens takes the keys to its first field
    if (event.target.matches?.("details.act[open]")) event.target.querySelector("input:not([type=hidden]), select, textarea")?.focus({ preventScroll: true });
  }, true);
  addEventListener("click", (event) => all("details.drop[open]").forEach((open) => { if (!open.contains(event.target)) open.open = false; }));

  // ---- "3 min ago"; the exact moment stays in the title
  const UNITS = [[86400 * 365, "year"], [86400 * 30, "month"], [86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
  function tellTimes() {
    for (const time of all("time.ago")) {
      const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
      const [size, unit] = UNITS.find(([size]) => Math.abs(seconds) >= size) || [1, "second"];
      const text = Math.abs(seconds) < 10 ? "just now" : words.format(Math.round(seconds / size), unit);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // ---- live parts: what was swapped in is told once, in words
  const away = document.getElementById("away");
  document.addEventListener("htmx:before:request", (event) => {
    // Nobody looks; or somebody fills in a form, which what is new must not close.
    if (document.hidden || document.querySelector("#live details.act[open]")) event.preventDefault();
  });
  document.addEventListener("htmx:error", () => {
    if (away.hidden) away.textContent = `The server does not answer; this is how it stood at ${new Date().toTimeString().slice(0, 8)}.`;
    away.hidden = false;
  });
  document.addEventListener("htmx:after:request", () => { away.hidden = true; });
  const counted = () => Number(document.querySelector("[data-live]")?.dataset.live ?? NaN);
  let before = counted();
  document.addEventListener("htmx:after:swap", () => {
    const part = document.querySelector("[data-live]"), now = counted();
    tellTimes();
    tellChosen();
    if (part && now !== before) said.textContent = `${now.toLocaleString("en")} ${now === 1 ? part.dataset.noun : part.dataset.nouns || `${part.dataset.noun}s`}`;
    const count = document.getElementById("count");
    if (count && now !== before) count.textContent = said.textContent;
    before = now;
  });

  // ---- choosing runs to compare
  function tellChosen() {
    const place = document.querySelector("[data-chosen]");
    if (!place) return;
    const count = all("input[name=run]:checked").length;
    place.textContent = count < 2 ? "choose 2 to 20 runs" : count > 20 ? `${count} chosen; at most 20 can be compared` : `${count} chosen`;
    document.querySelector("[data-compare]").disabled = count < 2 || count > 20;
  }
  addEventListener("change", (event) => {
    if (event.target.name === "run") tellChosen();
    event.target.closest("form[data-instant]")?.requestSubmit();
  });
  // Fields that say nothing need not stand in the address.
  addEventListener("submit", (event) => {
    if (event.target.method !== "get") return;
    for (const field of all("input, select", event.target)) if (!field.value && field.name) field.disabled = true;
  });
  addEventListener("pageshow", () => all("form [disabled]").forEach((field) => { if (field.name) field.disabled = false; }));

  // ---- commands can be taken along
  addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
      said.textContent = "Copied";
    } catch { getSelection().selectAllChildren(button.previousElementSibling); }
  });

  // ---- what scrolls sideways can be reached with the keyboard
  function reachable() {
    for (const box of all(".scroll")) {
      if (box.scrollWidth <= box.clientWidth + 1 && box.scrollHeight <= box.clientHeight + 1) continue;
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      if (!box.ariaLabel) box.ariaLabel = box.querySelector("caption")?.textContent || box.closest("section")?.querySelector("h2")?.textContent || "Table";
    }
  }
  addEventListener("resize", reachable);
  reachable();

  tellTimes();
  tellChosen();
  setInterval(tellTimes, 15000);
})();
