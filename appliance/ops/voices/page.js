// What all parts of the page share: elements by id, requests to the box, one place where it says what went wrong.
export const at = id => document.getElementById(id);
export const session = {csrf: "", again: null};  // `again`: what to do when nobody is logged in any more

// Everything that came over the wire goes in as text, never as markup.
export function made(tag, text = "", kind = "") {
  const one = document.createElement(tag);
  one.textContent = text;
  one.className = kind;
  return one;
}
export function button(text, kind, act) {
  const one = made("button", text, kind);
  one.type = "button";
  one.onclick = () => attempt(act);
  return one;
}

export async function ask(method, path, content) {
  const json = content !== undefined && !(content instanceof Blob);
  const headers = {"x-csrf-token": session.csrf, ...(json && {"content-type": "application/json"})};
  const answer = await fetch("/api/" + path, {method, headers, body: json ? JSON.stringify(content) : content});
  const said = answer.status === 204 ? {} : await answer.json();
  if (answer.status === 401) await session.again();
  if (!answer.ok) throw new Error(said.error);
  return said;
}
export async function attempt(act) {
  at("said").textContent = "";
  try { await act(); } catch (error) {
    at("said").textContent = error instanceof TypeError ? "the box does not answer; is it on?" : error.message;
    at("said").scrollIntoView({block: "nearest"});
  }
}
export const fields = form => Object.fromEntries(new FormData(form));

export function confirm(question, yes, act) {
  at("question").textContent = question;
  at("yes").textContent = yes;
  at("sure").returnValue = "no";
  at("sure").onclose = () => { if (at("sure").returnValue === "yes") attempt(act); };
  at("sure").showModal();
}
