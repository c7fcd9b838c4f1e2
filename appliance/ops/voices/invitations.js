// Invitations to enrol by telephone: a new one, its code, those that are open.
import {ask, at, attempt, button, confirm, fields, made} from "./page.js";

const HOW = "Without a microphone: whoever is invited dials a number, keys in a code, repeats sentences after a tone "
  + "until there are three minutes of speech, and says the consent.";
const OFF = "Nobody can enrol by telephone: give the box a number to dial for that, voices.enrolment_number in appliance.toml.";
const day = moment => new Date(moment).toLocaleDateString("en-GB", {day: "numeric", month: "long", year: "numeric", timeZone: "UTC"});
const called = language => new Intl.DisplayNames(["en"], {type: "language"}).of(language);

export async function listInvitations() {
  const {invitations, number, languages} = await ask("GET", "invitations");
  at("how").textContent = number ? HOW : OFF;
  at("how").className = number ? "quiet" : "odd";
  at("invite").hidden = !number;
  at("speaks").hidden = languages.length < 2;
  at("invite").elements.language.replaceChildren(...languages.map(language => new Option(called(language), language)));
  at("invitations").replaceChildren(...(invitations.length ? [made("h3", "Open invitations")] : []), ...invitations.map(invitationCard));
}
function invitationCard(one) {
  const card = made("article", "", "card row"), facts = made("div", "", "grow");
  const what = [called(one.language), `until ${day(one.ends_at)}`, ...one.phone_numbers,
    ...(one.consent_until ? [`consent until ${day(one.consent_until)}`] : []), ...(one.replaces ? ["replaces the voice on file"] : [])];
  facts.append(made("h3", one.name), made("p", what.join(" · "), "quiet"));
  const back = button("Take back", "bad", () => takeBack(one));
  back.setAttribute("aria-label", `Take back: ${one.name}`);
  card.append(facts, back);
  return card;
}
function takeBack(one) {
  confirm(`Take back the invitation of ${one.name}? Its code is good for nothing then.`, "Take it back", async () => {
    await ask("DELETE", `invitations/${one.id}`);
    if (at("ticket").dataset.id === one.id) at("ticket").hidden = true;
    await listInvitations();
  });
}

function showTicket(told) {
  const code = `${told.code.slice(0, 4)} ${told.code.slice(4)}`, facts = made("dl"), buttons = made("div", "", "row");
  facts.append(made("dt", "dial"), made("dd", told.number), made("dt", "key in"), made("dd", code));
  if (navigator.clipboard) buttons.append(button("Copy", "", () => navigator.clipboard.writeText(
    `${told.name}: dial ${told.number} and key in ${code}. Good once, until ${day(told.ends_at)}.`)));
  buttons.append(button("Done", "", () => { at("ticket").hidden = true; }));
  at("ticket").dataset.id = told.id;
  at("ticket").replaceChildren(made("h3", `Tell ${told.name}`), facts,
    made("p", `Good once, until ${day(told.ends_at)}. The code is kept nowhere: it is shown only now.`), buttons);
  at("ticket").hidden = false;
  at("ticket").focus();
}
at("invite").onsubmit = event => { event.preventDefault(); attempt(async () => {
  const asked = fields(at("invite")), numbers = asked.phone_numbers.split(",").map(number => number.trim()).filter(Boolean);
  const told = await ask("POST", "invitations", {name: asked.name, language: asked.language, phone_numbers: numbers,
    consent_until: asked.consent_until || null, replace: "replace" in asked});
  at("invite").reset();
  await listInvitations();
  showTicket(told);
}); };
