// Elements, made in one expression.

/** Make an element: attributes, `on...` listeners, then children (elements, text, or nothing). */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in PROPERTIES) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const PROPERTIES = { value: 1, checked: 1, disabled: 1, selected: 1, hidden: 1 };

/** A button with a name for those who cannot see its face. */
export function button(face, name, act, attributes = {}) {
  const { class: more = "", ...rest } = attributes;
  const isWord = typeof face === "string" && /\p{L}/u.test(face);
  const label = isWord && !name.includes(face) ? `${face}: ${name}` : name; // voice control says the face
  return el(
    "button",
    { type: "button", class: `button small ${more}`, title: name, "aria-label": label, onclick: act, ...rest },
    face,
  );
}

/** A control with its label before it. */
export function field(label, control, attributes = {}) {
  return el("label", { class: "field", ...attributes }, el("span", {}, label), control);
}

/** A select of {value, label} choices. */
export function select(choices, chosen, attributes = {}) {
  const options = choices.map(({ value, label }) =>
    el("option", { value, selected: value === chosen }, label),
  );
  return el("select", attributes, ...options);
}

/** Whether somebody is writing, so that letters are no commands. */
export function isWriting(target) {
  return Boolean(target?.closest?.("input:not([type=checkbox]):not([type=radio]):not([type=range]), select, textarea, [contenteditable]"));
}
