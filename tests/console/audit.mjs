// What can be found out about a page from within it: these functions run in the browser, and use nothing from outside.

/** Pieces of text with the contrast that each has to what is behind it. */
export function contrasts() {
  const parse = (color) => {
    const [red, green, blue, alpha = 1] = color.match(/[\d.]+/g).map(Number);
    return { red, green, blue, alpha };
  };
  const over = (above, below) => {
    const mix = (name) => above[name] * above.alpha + below[name] * (1 - above.alpha);
    return { red: mix("red"), green: mix("green"), blue: mix("blue"), alpha: 1 };
  };
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.alpha > 0) layers.push(color);
      if (color.alpha === 1) break;
    }
    return layers.reduceRight((below, above) => over(above, below), { red: 255, green: 255, blue: 255, alpha: 1 });
  };
  const light = ({ red, green, blue }) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const isShown = (node) => node.checkVisibility() && node.getBoundingClientRect().width > 2;
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data.trim()).join(" ").trim();
    if (!text || !isShown(node) || node.closest(".unseen, .skip, noscript")) continue;
    const style = getComputedStyle(node);
    const behind = ground(node);
    const ink = over(parse(node instanceof SVGElement ? style.fill : style.color), behind);
    const [bright, dark] = [light(ink), light(behind)].sort((a, b) => b - a);
    found.push({ text, ratio: (bright + 0.05) / (dark + 0.05), large: parseFloat(style.fontSize) >= 24 });
  }
  return found;
}

/** What is wrong with the markup for who uses it by ear. */
export function faultsOfMarkup() {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const nameOf = (node) => {
    const label = node.getAttribute("aria-label") || node.getAttribute("alt");
    const by = node.getAttribute("aria-labelledby");
    const told = by && by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
    return (label || told || node.labels?.[0]?.textContent || node.textContent || "").trim();
  };
  const fault = (what, node) => faults.push(`${what}: ${node.id || node.outerHTML.slice(0, 80)}`);

  if (!document.documentElement.lang) faults.push("the page has no language");
  if (all("h1").length !== 1) faults.push("there is one h1");
  const levels = all("h1, h2, h3, h4").filter((node) => node.checkVisibility()).map((node) => Number(node.tagName[1]));
  levels.forEach((level, index) => {
    if (index > 0 && level > levels[index - 1] + 1) faults.push(`a heading of level ${level} behind one of ${levels[index - 1]}`);
  });
  const ids = all("[id]").map((node) => node.id);
  ids.filter((id, index) => ids.indexOf(id) !== index).forEach((id) => faults.push(`two things are called ${id}`));
  for (const node of all("button, a[href], input, [role=region], [role=img], progress, section, dialog")) {
    if (node.checkVisibility() && !nameOf(node)) fault("no name", node);
  }
  for (const node of all("img")) if (!node.hasAttribute("alt")) fault("no alternative", node);
  for (const node of all("svg")) {
    if (node.getAttribute("role") !== "img" && node.getAttribute("aria-hidden") !== "true") fault("a drawing without a role", node);
  }
  for (const node of all("th")) if (!node.hasAttribute("scope")) fault("a head of nothing", node);
  for (const node of all("[aria-labelledby]")) {
    for (const id of node.getAttribute("aria-labelledby").split(" ")) if (!document.getElementById(id)) fault(`no ${id}`, node);
  }
  for (const node of all("[tabindex]")) if (node.tabIndex > 0) fault("an order of its own", node);
  const live = all("[role=status], [role=alert], [aria-live]:not([aria-live=off])");
  for (const node of live) {
    if (node.querySelector("table, svg")) fault("a figure that is read out at each change", node);
  }
  if (!document.querySelector("main")) faults.push("there is no main part");
  return faults;
}
