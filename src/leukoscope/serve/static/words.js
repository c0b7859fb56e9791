// Numbers and states as a person reads them.

/** A share in per cent; what is not quite 100, or 0, is never written so. */
export function percent(share) {
  if (share > 0.999 && share < 1) return ">\u00a099.9\u00a0%";
  if (share > 0 && share < 0.001) return "<\u00a00.1\u00a0%";
  return `${(100 * share).toFixed(share === 1 ? 0 : 1)}\u00a0%`;
}

export const isUncertain = (answer) =>
  answer.novel === true || (answer.possible === null ? answer.certainty < 0.9 : answer.possible.length !== 1);

/** What a decision says, for a row: ["✓", "confirmed"]. */
export function decided(review) {
  if (!review) return ["", ""];
  if (review.decision === "confirmed") return ["✓", `confirmed ${review.label}`];
  if (review.decision === "corrected") return ["✎", `corrected to ${review.label}`];
  return ["–", "skipped"];
}

export const moment = (iso) =>
  new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

/** 'Early 3, Pre 1' of a list of names. */
export function counted(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort().map(([name, n]) => `${name} ${n}`).join(", ") || "none";
}

export const images = (n) => (n === 1 ? "1 image" : `${n} images`);

/** What it means that the classifier has seen an image before; nothing where it has not. */
export function seenBefore({ seen }) {
  if (!seen) return "";
  const use = seen === "train" ? "to train this classifier" : "to choose and calibrate this classifier";
  return `This image was used ${use}: the answer is no evidence.`;
}

/** What is known of the images of one patient. */
export function summary(items) {
  const answered = items.filter((item) => item.answer);
  const reviewed = items.filter((item) => item.review);
  return {
    images: items.length,
    suggested: counted(answered.map((item) => item.answer.suggestion)),
    uncertain: answered.filter((item) => isUncertain(item.answer)).length,
    novel: answered.filter((item) => item.answer.novel).length,
    seen: answered.filter((item) => item.answer.seen).length,
    reviewed: reviewed.length,
    decided: counted(reviewed.map((item) => item.review.label || "skipped")),
  };
}
