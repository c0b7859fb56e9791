// What is said of the image, and what the person says to it.

import * as api from "./api.js";
import { byId, make } from "./dom.js";
import { choose, nextOpen } from "./list.js";
import { decide, undo } from "./reviewing.js";
import { follow, isReviewed, ofPatient, sameFile, state } from "./state.js";
import { decided, images, moment, percent, seenBefore, summary } from "./words.js";

let spokenFor = null;

function bars({ probabilities, suggestion }) {
  return state.about.classifier.classes.map((name, k) => {
    const bar = make("span", { className: "bar" });
    bar.style.width = `${100 * probabilities[name]}%`;
    return make("tr", { className: name === suggestion ? "best" : "" },
      make("th", { scope: "row" }, name),
      make("td", { className: "track", "aria-hidden": "true" }, bar),
      make("td", { className: "n", textContent: percent(probabilities[name]) }));
  });
}

function corrections({ suggestion }) {
  return state.about.classifier.classes.flatMap((name, k) => {
    if (name === suggestion) return [];
    const button = make("button", { type: "button" }, `It is ${name} `, make("kbd", {}, String(k + 1)));
    button.addEventListener("click", () => choice(k));
    return [button];
  });
}

function possible(answer) {
  if (answer.possible === null) return "";
  if (!answer.possible.length) return "None of the classes fits.";
  return `Cannot be ruled out: ${answer.possible.join(", ")}.`;
}

function show() {
  const item = state.current;
  byId("suggestion").hidden = !item;
  if (!item) return;
  byId("name").textContent = item.name;
  if (document.activeElement !== byId("patient")) byId("patient").value = item.patient;
  const { answer } = item;
  byId("pending").hidden = Boolean(answer);
  byId("pending").textContent = item.error ?? "Waiting for the answer.";
  byId("answer").hidden = byId("decision").hidden = !answer;
  byId("novel").hidden = !answer?.novel;
  byId("seen").hidden = !answer?.seen;
  byId("seen-text").textContent = answer ? seenBefore(answer) : "";
  byId("history").hidden = !answer;
  if (answer) {
    byId("suggested").textContent = answer.suggestion;
    byId("words").textContent = answer.words;
    byId("certainty").textContent = percent(answer.certainty);
    byId("possible").textContent = possible(answer);
    byId("bars").replaceChildren(...bars(answer));
    byId("calibration").hidden = state.about.classifier.calibrated;
    byId("confirm").replaceChildren(`Confirm ${answer.suggestion} `, make("kbd", {}, "Enter"));
    byId("corrections").replaceChildren(...corrections(answer));
  }
  byId("undo").disabled = !state.decided.length;
  stands(item);
  patient(item);
  speak(item);
}

function stands(item) {
  const line = byId("decided");
  line.classList.toggle("saving", item.saving !== null);
  if (!isReviewed(item)) line.textContent = item.saving ? "Taking it back …" : "";
  else {
    const [sign, words] = decided(item.review);
    const when = item.review.time ? `, ${moment(item.review.time)}` : "";
    const by = item.review.person ? ` by ${item.review.person}` : "";
    line.textContent = `${sign} ${words}${by}${when}${item.saving ? " – not kept yet" : ""}`;
  }
}

function patient(item) {
  const all = ofPatient(item.patient);
  const { suggested, decided: labels, uncertain, novel, seen, reviewed } = summary(all);
  byId("case-title").textContent = item.patient || "No patient given";
  const doubts = `${uncertain} uncertain${novel ? `, ${novel} unlike anything known` : ""}` +
    (seen ? `, ${seen} that it learned from` : "");
  byId("case").textContent =
    `${images(all.length)}. Suggested: ${suggested} (${doubts}). ` +
    (reviewed ? `Decided: ${labels}; ${reviewed} of ${all.length} reviewed.` : "None reviewed yet.");
}

/** Says a new image, or its answer, once. */
function speak(item) {
  const key = `${item.id} ${item.answer !== null}`;
  if (key === spokenFor) return;
  spokenFor = key;
  byId("history").open = false;
  const place = `${item.name}, ${state.items.indexOf(item) + 1} of ${state.items.length}`;
  const { answer } = item;
  byId("spoken").textContent = answer
    ? `${place}: ${answer.suggestion}, ${answer.words}, ${percent(answer.certainty)}. ${possible(answer)} ${seenBefore(answer)}`
    : `${place}: ${item.error ?? "waiting"}`;
}

async function then(decision) {
  if (!(await decision)) return;
  const next = nextOpen();
  if (next) choose(next);
}

function made(item, decision, label) {
  const decision_ = decide(item, decision, label);
  return decision_.then((done) => {
    if (done) state.decided.push(item);
    return done;
  });
}

export const confirm = () => then(made(state.current, "confirmed"));
export const skip = () => then(made(state.current, "skipped"));

/** Decides for the class with this place, and goes on. */
export function choice(k) {
  const name = state.about.classifier.classes[k];
  const item = state.current;
  if (!item?.answer || name === undefined) return;
  if (name === item.answer.suggestion) confirm();
  else then(made(item, "corrected", name));
}

export async function takeBack() {
  const item = await undo();
  if (item) choose(item);
}

/** Another patient for an image: a decision made before is kept anew with it. */
function rename() {
  const item = state.current, name = byId("patient").value.trim();
  if (!item || name === item.patient) return;
  for (const same of item.sha256 ? sameFile(item.sha256) : [item]) same.patient = name;
  if (isReviewed(item)) {
    const { decision, label } = item.review;
    decide(item, decision, decision === "corrected" ? label : null);
  }
  show();
}

async function history() {
  const item = state.current;
  if (!byId("history").open || !item?.sha256) return;
  const { reviews } = await api.history(item.sha256);
  const lines = reviews.map((review) => make("li", {
    textContent: `${moment(review.time)}: ${review.person || "somebody"} ` +
      (review.decision === "withdrawn" ? "took it back" : decided(review)[1]),
  }));
  byId("history").querySelector("ol").replaceChildren(
    ...(lines.length ? lines : [make("li", { textContent: "Nobody has reviewed it yet." })]));
}

export function start() {
  byId("confirm").addEventListener("click", confirm);
  byId("skip").addEventListener("click", skip);
  byId("undo").addEventListener("click", takeBack);
  byId("patient").addEventListener("change", rename);
  byId("history").addEventListener("toggle", history);
  follow(() => show());
}
