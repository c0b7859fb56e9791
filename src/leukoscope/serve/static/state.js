// What is on the page: images, which of them is looked at, and who is told of changes.

import { isUncertain } from "./words.js";

export const state = {
  about: null, // the service's version, classifier and limits
  person: "", // who reviews
  items: [], // {id, file, name, patient, url, answer, sha256, error, review, saving}
  current: null, // the item that is looked at
  decided: [], // the items decided here, for undo
};

const followers = [];

/** Calls the function after every change: with the changed item, or null when the list changed. */
export const follow = (told) => followers.push(told);
export const changed = (item = null) => followers.forEach((told) => told(item));

export const isReviewed = (item) => Boolean(item.review) && item.review.decision !== "withdrawn";
export const isOpen = (item) => Boolean(item.answer) && !isReviewed(item);

const FILTERS = {
  all: () => true,
  open: isOpen,
  uncertain: (item) => Boolean(item.answer) && isUncertain(item.answer),
  novel: (item) => Boolean(item.answer?.novel),
  reviewed: isReviewed,
  failed: (item) => item.error !== null,
};

export const byText = new Intl.Collator(undefined, { numeric: true }).compare;
const doubt = (item) => (!item.answer ? -1 : (item.answer.novel ? 2 : 0) + 1 - item.answer.certainty);
const ORDERS = {
  added: (a, b) => a.id - b.id,
  uncertainty: (a, b) => doubt(b) - doubt(a) || a.id - b.id,
  patient: (a, b) => byText(a.patient, b.patient) || byText(a.name, b.name) || a.id - b.id,
  name: (a, b) => byText(a.name, b.name) || a.id - b.id,
};

/** The images to be listed, in order; the one that is looked at stays, whatever the filter. */
export function shown(filter, order) {
  const kept = state.items.filter((item) => item === state.current || FILTERS[filter](item));
  return kept.sort(ORDERS[order]);
}

export const ofPatient = (patient) => state.items.filter((item) => item.patient === patient);
export const sameFile = (sha256) => state.items.filter((item) => item.sha256 === sha256);
