// A few rules of accessibility, checked on the page as it is drawn. Gives a list of sentences; empty is good.
() => {
  const found = [];
  const name = (node) => (node.getAttribute("aria-label") || node.getAttribute("title") || node.textContent || node.value || node.placeholder || "").trim();
  const seen = (node) => { const box = node.getBoundingClientRect(); return box.width > 1 && box.height > 1 && getComputedStyle(node).visibility !== "hidden" && !node.closest(".hidden, details:not([open]) > :not(summary)"); };
  const say = (node, text) => found.push(`${text}: <${node.tagName.toLowerCase()} class="${node.getAttribute("class") || ""}"> ${name(node).slice(0, 40)}`);

  if (!document.documentElement.lang) found.push("the page has no language");
  if (document.querySelectorAll("h1").length !== 1) found.push("the page has not exactly one h1");
  for (const landmark of ["header", "nav", "main"]) if (!document.querySelector(landmark)) found.push(`there is no ${landmark}`);
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  if (new Set(ids).size < ids.length) found.push("an id stands twice");
  document.querySelectorAll("a[href], button, summary").forEach((node) => { if (!name(node)) say(node, "has no name"); });
  document.querySelectorAll("input:not([type=hidden]), select").forEach((node) => { if (!node.labels.length && !node.getAttribute("aria-label")) say(node, "has no label"); });
  document.querySelectorAll("img").forEach((node) => { if (!node.hasAttribute("alt")) say(node, "has no text"); });
  document.querySelectorAll("svg").forEach((node) => { if (!node.getAttribute("aria-label") && node.getAttribute("aria-hidden") !== "true" && !node.closest("[aria-label]")) say(node, "is a drawing without words"); });
  document.querySelectorAll("thead th").forEach((node) => { if (!node.hasAttribute("scope") && !node.classList.contains("pick")) say(node, "is a head without scope"); });
  document.querySelectorAll(".scroll, .sheet").forEach((node) => { if (node.scrollWidth > node.clientWidth + 1 && !node.querySelector("a, button, input, summary") && node.tabIndex < 0) say(node, "scrolls, and no key can reach it"); });
  let level = 0;
  document.querySelectorAll("h1, h2, h3, h4").forEach((node) => { const now = Number(node.tagName[1]); if (now > level + 1 && level) say(node, "skips a level of headings"); level = now; });

  // Contrast: text against the colours below it, by the formula of WCAG 2.
  const parts = (text) => { const numbers = text.match(/[\d.]+/g).map(Number); return text.startsWith("color(") ? [...numbers.slice(0, 3).map((v) => v * 255), numbers[3] ?? 1] : [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1]; };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const light = ([r, g, b]) => [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => { const layers = []; for (let at = node; at; at = at.parentElement) { layers.push(parts(getComputedStyle(at).backgroundColor)); if (layers.at(-1)[3] === 1) break; } return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]); };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !seen(node) || node.closest("svg, option, script, style, :disabled")) continue;
    const style = getComputedStyle(node), below = ground(node), ink = over(parts(style.color), below);
    const [a, b] = [light(ink), light(below)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const key = `${style.color} on ${below}`;
    if (ratio < (large ? 3 : 4.5) && !told.has(key)) { told.add(key); say(node, `contrast ${ratio.toFixed(2)}, ${key}`); }
  }
  return found;
}
