// What the page was given to say, in the reader's language.

const element = document.getElementById("texts");
const given = element ? JSON.parse(element.textContent || "{}") : {};

/** The phrase under a key, with {names} filled in; the key itself if the page has none. */
export function t(key, values = {}) {
  const phrase = given[key] ?? key;
  return phrase.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const lang = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
