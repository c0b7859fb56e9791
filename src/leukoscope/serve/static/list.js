// The list of images, as they are filtered and sorted.

import { byId, make } from "./dom.js";
import { changed, follow, isReviewed, shown, state } from "./state.js";
import { decided, images, isUncertain, percent } from "./words.js";

const rows = new Map(); // of items

function words(item) {
  const { answer, error, patient } = item;
  const says = error !== null ? "cannot be read"
    : answer ? `${answer.suggestion}, ${percent(answer.certainty)}` : "waiting";
  return patient ? `${says} · ${patient}` : says;
}

function mark(item) {
  if (item.error !== null) return ["!", "unreadable"];
  if (isReviewed(item)) return decided(item.review);
  if (item.answer?.novel) return ["?", "unlike anything known"];
  if (item.answer && isUncertain(item.answer)) return ["≈", "uncertain"];
  return ["", item.answer ? "to be reviewed" : ""];
}

function row(item) {
  if (!rows.has(item)) {
    const picture = make("img", { src: item.url, alt: "", loading: "lazy", decoding: "async" });
    picture.addEventListener("error", () => picture.classList.add("none"));
    picture.addEventListener("load", () => picture.classList.remove("none"));
    const name = make("span", { className: "name", textContent: item.name });
    const element = make("li", { role: "option", id: `image-${item.id}` }, picture, name,
      make("span", { className: "says" }), make("span", { className: "mark" }));
    element.addEventListener("click", () => choose(item));
    rows.set(item, element);
  }
  return rows.get(item);
}

function fill(item) {
  const element = row(item);
  const [sign, meaning] = mark(item);
  if (element.querySelector("img").src !== item.url) element.querySelector("img").src = item.url;
  element.querySelector(".says").textContent = words(item);
  const marked = element.querySelector(".mark");
  marked.replaceChildren(make("span", { textContent: sign, "aria-hidden": "true" }),
    make("span", { className: "hidden", textContent: meaning }));
  marked.title = meaning;
  marked.classList.toggle("done", isReviewed(item));
  element.classList.toggle("saving", item.saving !== null);
  element.setAttribute("aria-selected", String(item === state.current));
  element.tabIndex = item === state.current ? 0 : -1;
}

function listed() {
  return shown(byId("filter").value, byId("sort").value);
}

function lay() {
  const items = listed();
  const focused = byId("list").contains(document.activeElement);
  items.forEach(fill);
  byId("list").replaceChildren(...items.map(row));
  if (focused && state.current) row(state.current).focus({ preventScroll: true });
  count();
}

function count() {
  const all = state.items.length;
  const answered = state.items.filter((item) => item.answer || item.error !== null).length;
  const reviewed = state.items.filter(isReviewed).length;
  Object.assign(byId("progress"), { max: Math.max(1, all), value: answered });
  byId("progress-text").textContent = all
    ? `${answered} of ${images(all)} answered, ${reviewed} reviewed` : "No images yet";
}

/** Looks at an image; the keyboard goes to its row when it was in the list. */
export function choose(item) {
  const inside = byId("list").contains(document.activeElement);
  const before = state.current;
  state.current = item;
  if (before) changed(before);
  changed(item);
  reveal(row(item));
  if (inside) row(item).focus({ preventScroll: true });
}

/** Scrolls the list alone: on a tablet the page stays where the image is seen. */
function reveal(element) {
  const list = byId("list").getBoundingClientRect(), place = element.getBoundingClientRect();
  byId("list").scrollTop += Math.min(0, place.top - list.top) + Math.max(0, place.bottom - list.bottom);
}

/** The image so many rows further, as the list stands; or the one it ends with. */
export function neighbour(steps) {
  const items = listed();
  const place = items.indexOf(state.current) + steps;
  return items[Math.min(items.length - 1, Math.max(0, place))] ?? null;
}

/** The next image that waits for a decision, after this one and then from the top. */
export function nextOpen() {
  const items = listed();
  const place = items.indexOf(state.current);
  const ring = [...items.slice(place + 1), ...items.slice(0, place)];
  return ring.find((item) => item.answer && !isReviewed(item)) ?? null;
}

export function start() {
  for (const id of ["filter", "sort"]) byId(id).addEventListener("change", lay);
  follow((item) => {
    // New answers go to their place in the order at once; a decision leaves the row where it is.
    if (item === null || (byId("sort").value === "uncertainty" && !isReviewed(item))) lay();
    else { fill(item); count(); }
  });
}
