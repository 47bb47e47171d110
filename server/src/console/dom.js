// What is shown is made of elements and text nodes only: nothing that a client chose is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** An element of class `className` with `children`, elements or texts. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** An element of a drawing. */
export function shape(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Makes `text` all that is in `node`, if it is not already. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute, or removes it, if that changes it. */
export function mark(node, name, value) {
  if (value == null) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}

/** Shows or hides. */
export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/**
 * Keeps one child of `parent` for each of `items`, found again by `key`. The order stands still while somebody has the
 * pointer or the focus within, so that nothing slips away from under it.
 */
export function sync(parent, items, key, make, update) {
  const known = (parent.children_by_key ??= new Map());
  const isHeld = parent.matches(":hover") || parent.contains(document.activeElement);
  const wanted = new Set();
  items.forEach((item, index) => {
    const name = key(item);
    wanted.add(name);
    let child = known.get(name);
    if (!child) {
      child = make(item);
      known.set(name, child);
      parent.append(child);
    }
    update(child, item);
    if (!isHeld && parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  for (const [name, child] of known) {
    if (!wanted.has(name)) {
      child.remove();
      known.delete(name);
    }
  }
}

/** A row of `count` cells, with the classes of the columns' heads. */
export function row(body) {
  const heads = body.closest("table").tHead?.rows[0].cells ?? [];
  const made = element("tr");
  for (const head of heads) made.append(element("td", head.className));
  return made;
}

/** Says in the one line of an empty table why it is empty, or takes the line away. */
export function explain(body, sentence) {
  const line = body.emptyLine;
  if (!sentence) {
    line?.remove();
    return;
  }
  if (!line) {
    const cell = element("td", "empty");
    cell.colSpan = body.closest("table").tHead.rows[0].cells.length;
    body.emptyLine = element("tr", "", cell);
  }
  say(body.emptyLine.firstChild, sentence);
  if (!body.emptyLine.isConnected) body.append(body.emptyLine);
}
