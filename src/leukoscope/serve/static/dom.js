// How elements are made and found. Text is set as text, never as HTML.

export const byId = (id) => document.getElementById(id);

/** A new element; `properties` are its own, `data-`, `aria-` and `role` ones its attributes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(data-|aria-|role$|scope$)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Shows a sentence for a while; a screen reader says it. */
export function say(text) {
  byId("message").textContent = text;
  byId("message").classList.toggle("shown", text !== "");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => byId("message").classList.remove("shown"), 6000);
}

/** Resolves when a dialog was answered, to whether it was not cancelled. */
export function ask(dialog) {
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue !== "cancelled"), { once: true });
    dialog.addEventListener("cancel", () => { dialog.returnValue = "cancelled"; }, { once: true });
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
  });
}
