// The report of one case, on paper.

import { byId, make } from "./dom.js";
import { isReviewed, ofPatient, state } from "./state.js";
import { decided, images, moment, percent, summary } from "./words.js";

const cell = (text) => make("td", { textContent: text });

function line(item) {
  const { answer, review } = item;
  const says = answer ? `${answer.suggestion}, ${percent(answer.certainty)} (${answer.words})` : item.error ?? "not answered";
  const possible = answer?.possible?.join(", ") ?? "–";
  const decision = isReviewed(item) ? decided(review)[1] : "not reviewed";
  return make("tr", {}, make("td", {}, make("img", { src: item.url, alt: "" })), cell(item.name), cell(says),
    cell(possible), cell(decision), cell(review ? `${review.person}, ${review.time ? moment(review.time) : "not kept yet"}` : ""));
}

/** Prints the images of one patient, as they are suggested and decided. */
export async function print(patient) {
  const items = ofPatient(patient);
  const { suggested, decided: labels, uncertain, novel, seen, reviewed } = summary(items);
  const { classifier, version } = state.about;
  const heads = ["", "Image", "Suggestion", "Cannot be ruled out", "Decision", "By"].map((text) => make("th", { scope: "col" }, text));
  byId("report").replaceChildren(
    make("p", { className: "kicker", textContent: "Leukoscope case report" }),
    make("h1", { textContent: patient || "Images without a patient" }),
    make("p", {}, make("strong", { textContent: "It assists and does not diagnose. " }),
      "Suggestions are those of a network; decisions are those of the person named beside them."),
    make("p", { textContent: `${images(items.length)}. Suggested: ${suggested}. Uncertain: ${uncertain}; unlike anything known: ${novel}. ` +
      `Reviewed: ${reviewed} of ${items.length}${reviewed ? `; decided: ${labels}` : ""}.` }),
    ...(seen ? [make("p", {}, make("strong", { textContent: `${seen} of ${images(items.length)} took part in the training of this classifier. ` }),
      "What it says of these is no evidence.")] : []),
    make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...items.map(line))),
    make("p", { className: "signature", textContent: "Date and signature" }),
    make("p", { className: "note", textContent: `Printed ${moment(new Date().toISOString())} by ${state.person || "–"}. ` +
      `Leukoscope ${version}, ${classifier.name}${classifier.calibrated ? "" : ", not calibrated"}, fingerprint ${classifier.fingerprint}.` }),
  );
  const pictures = [...byId("report").querySelectorAll("img")];
  await Promise.all(pictures.map((picture) => picture.decode().catch(() => picture.remove())));
  window.print();
}
