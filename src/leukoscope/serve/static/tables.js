// The other two views: patients of this page, and reviews that the service keeps.

import * as api from "./api.js";
import { byId, make } from "./dom.js";
import { print } from "./report.js";
import { ofPatient, state } from "./state.js";
import { decided, moment, percent, summary } from "./words.js";

const cell = (text, className = "") => make("td", { textContent: text, className });

const nothing = (columns, text) => make("tr", {}, make("td", { colSpan: columns, className: "note", textContent: text }));

export function patients() {
  const names = [...new Set(state.items.map((item) => item.patient))].sort();
  const lines = names.map((name) => {
    const { images, suggested, uncertain, novel, reviewed, decided: labels } = summary(ofPatient(name));
    const button = make("button", { type: "button", "aria-label": `Print the report of ${name || "images without a patient"}` }, "Print");
    button.addEventListener("click", () => print(name));
    return make("tr", {}, make("th", { scope: "row" }, name || "No patient given"), cell(images, "n"),
      cell(suggested), cell(uncertain, "n"), cell(novel, "n"),
      cell(reviewed ? `${labels} (${reviewed} of ${images})` : "none"), make("td", {}, button));
  });
  byId("patients-table").tBodies[0].replaceChildren(
    ...(lines.length ? lines : [nothing(7, "There are no images on this page yet.")]));
}

const query = () =>
  [...new FormData(byId("kept-filter"))].filter(([, value]) => value.trim()).map(([name, value]) => [name, value.trim()]);

function line(review) {
  const [sign, words] = decided(review);
  return make("tr", {}, cell(moment(review.time)), make("th", { scope: "row" }, review.name), cell(review.patient),
    cell(`${review.suggestion}, ${percent(review.certainty)}`), cell(`${sign} ${words}`), cell(review.person));
}

/** The kept reviews, from the latest on, or further ones. */
export async function kept(before = null) {
  const { reviews, next } = await api.listed([...query(), ...(before ? [["before", before]] : [])]);
  const body = byId("kept-table").tBodies[0];
  if (!before) body.replaceChildren();
  body.append(...(reviews.length || before ? reviews.map(line) : [nothing(6, "No reviews are kept yet.")]));
  byId("more").hidden = next === null;
  byId("more").onclick = () => kept(next);
}

async function save() {
  const address = URL.createObjectURL(await api.table(query()));
  make("a", { href: address, download: "reviews.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export function start() {
  byId("kept-filter").addEventListener("submit", (event) => {
    event.preventDefault();
    kept();
  });
  byId("export").addEventListener("click", save);
}
