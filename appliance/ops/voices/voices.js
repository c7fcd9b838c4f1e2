// The page of voices: who is let in, the voices on file, enrolment by recordings, the token for programs.
import {ask, at, attempt, button, confirm, fields, made, session} from "./page.js";
import {listInvitations} from "./invitations.js";
import {forgetTakes, showTakes, taken} from "./recordings.js";

const TONE = {given: "good", expired: "odd", withdrawn: "bad", none: "bad"};

async function show(visit) {
  session.csrf = visit.csrf;
  at("first").hidden = visit.state !== "new";
  at("enter").hidden = visit.state !== "out";
  at("inside").hidden = at("leave").hidden = visit.state !== "in";
  if (visit.state === "in") { await list(); await listInvitations(); }
  else (visit.state === "new" ? at("first") : at("enter")).querySelector("input").focus();
}
const visit = async () => show(await (await fetch("/api/session")).json());

async function list() {
  const {voices, damaged} = await ask("GET", "voices");
  const none = made("p", "There are no voices yet.", "quiet");
  at("voices").replaceChildren(...(voices.length ? voices.map(voiceCard) : [none]),
    ...damaged.map(sentence => made("p", sentence, "bad")));
}
function voiceCard(voice) {
  const card = made("article", "", "card"), facts = made("p"), buttons = made("div", "", "row");
  const lastDay = moment => new Date(new Date(moment) - 1).toISOString().slice(0, 10);  // it ends at midnight after that
  const until = voice.consent_expires_at ? `, until ${lastDay(voice.consent_expires_at)}` : "";
  const by = voice.consent_by ? ` by ${voice.consent_by}` : "";
  facts.append(made("span", `consent ${voice.consent}`, TONE[voice.consent]), made("span", by + until));
  const quality = voice.quality && `${Math.round(voice.quality.speech_s)} s of speech, SNR ${Math.round(voice.quality.snr_db)} dB, `
    + `up to ${(voice.quality.bandwidth_hz / 1000).toFixed(1)} kHz`;
  const numbers = voice.phone_numbers.length ? ` · ${voice.phone_numbers.join(", ")}` : "";
  buttons.append(button("Rename", "", () => rename(voice, card)));
  if (voice.consent === "given") buttons.append(button("Listen", "", () => listen(voice, card)),
    button("Withdraw consent", "", () => withdraw(voice)));
  buttons.append(button("Delete", "bad", () => remove(voice)));
  for (const one of buttons.children) one.setAttribute("aria-label", `${one.textContent}: ${voice.name}`);
  card.append(made("h3", voice.name), facts, made("p", (quality || "no figures") + numbers, "quiet"), buttons);
  return card;
}
async function listen(voice, card) {
  const wait = made("p", "speaking …", "quiet");
  card.append(wait);
  try {
    const headers = {"x-csrf-token": session.csrf, "content-type": "application/json"};
    const answer = await fetch(`/api/voices/${voice.speaker_id}/speech`, {method: "POST", headers, body: "{}"});
    if (!answer.ok) throw new Error((await answer.json()).error);
    const own = answer.headers.get("x-dragoman-voice") === "own", player = made("audio");
    player.controls = player.autoplay = true;
    player.src = URL.createObjectURL(await answer.blob());
    player.setAttribute("aria-label", `${voice.name} speaks`);
    for (const old of card.querySelectorAll(".heard")) old.remove();
    const heard = made("div", "", "heard");
    heard.append(made("p", decodeURIComponent(answer.headers.get("x-dragoman-sentence")), own ? "good" : "odd"), player);
    card.append(heard);
  } finally { wait.remove(); }
}
function rename(voice, card) {
  const form = made("form", "", "row"), input = made("input");
  input.value = voice.name; input.maxLength = 200; input.required = true;
  input.setAttribute("aria-label", `new name of ${voice.name}`);
  form.append(input, made("button", "Save", "main"), button("Cancel", "", list));
  form.onsubmit = event => { event.preventDefault(); attempt(async () => {
    await ask("PATCH", `voices/${voice.speaker_id}`, {name: input.value}); await list(); }); };
  card.replaceChildren(form);
  input.select();
}
function remove(voice) {
  const question = `Delete the voice of ${voice.name} for good? Nothing brings it back but an exported file.`;
  confirm(question, "Delete for good", async () => { await ask("DELETE", `voices/${voice.speaker_id}`); await list(); });
}
function withdraw(voice) {
  const question = `Has ${voice.name} withdrawn consent? The voice is not used any more, in running calls, too.`;
  confirm(question, "It is withdrawn", async () => { await ask("POST", `voices/${voice.speaker_id}/withdrawal`); await list(); });
}
// Enrolment

at("new").onsubmit = event => { event.preventDefault(); attempt(async () => {
  const asked = fields(at("new")), numbers = asked.phone_numbers.split(",").map(number => number.trim()).filter(Boolean);
  at("enrol").disabled = true;
  at("bar").hidden = false;
  at("advice").replaceChildren();
  try {
    await follow(await ask("POST", "enrolments", {name: asked.name, consent_by: asked.consent_by, phone_numbers: numbers,
      consent_until: asked.consent_until || null, recordings: taken()}));
  } finally { at("bar").hidden = true; showTakes(); }
}); };
async function follow(progress) {
  while (progress.state === "working") {
    at("bar").value = progress.share;
    at("doing").textContent = progress.what;
    await new Promise(done => setTimeout(done, 500));
    progress = await ask("GET", `enrolments/${progress.id}`);
  }
  const good = progress.state === "done";
  at("doing").textContent = good ? "The voice is on file." : "";
  at("advice").replaceChildren(...progress.sentences.map(sentence => made("li", sentence, good ? "odd" : "bad")));
  if (!good) return;
  forgetTakes();
  at("new").reset();
  await list();
}

for (const [id, method, path] of [["first", "POST", "password"], ["enter", "POST", "session"]])
  at(id).onsubmit = event => { event.preventDefault(); attempt(async () => {
    const answer = await ask(method, path, fields(at(id)));
    at(id).reset();
    await show(answer); }); };
at("leave").onclick = () => attempt(async () => show(await ask("DELETE", "session")));
at("token").onclick = () => attempt(async () => { at("told").textContent = (await ask("POST", "token")).token; });
session.again = visit;
showTakes();
attempt(visit);
