// Recordings of somebody new: uploaded as files, or taken with the microphone of whoever looks at the page.
import {ask, at, attempt, button, made} from "./page.js";

const NEEDED_S = 180, TAKE_S = 120, LOUD = 0.98, SOFT = 0.03;
let takes = [], microphone = null;

export const taken = () => takes.map(take => take.id);
export function forgetTakes() { takes = []; }

async function upload(name, blob) {
  at("doing").textContent = `looking at ${name}`;
  try { takes.push(await ask("POST", `recordings?name=${encodeURIComponent(name)}`, blob)); }
  finally { at("doing").textContent = ""; showTakes(); }
}
export function showTakes() {
  at("takes").replaceChildren(...takes.map(take => {
    const item = made("li", `${take.name}: ${Math.round(take.figures.speech_s)} s of speech, SNR ${Math.round(take.figures.snr_db)} dB `);
    const leave = button("Leave out", "", async () => {
      takes = takes.filter(one => one !== take); showTakes(); await ask("DELETE", `recordings/${take.id}`); });
    leave.setAttribute("aria-label", `Leave out ${take.name}`);
    item.append(leave, ...take.advice.map(sentence => made("p", sentence, "odd")));
    return item;
  }));
  const missing = Math.ceil(NEEDED_S - takes.reduce((sum, take) => sum + take.figures.speech_s, 0));
  at("missing").textContent = missing > 0 ? `still missing: ${missing} s of speech` : "there is enough speech";
  at("missing").className = missing > 0 ? "quiet" : "good";
  at("enrol").disabled = missing > 0;
}
at("files").onchange = () => attempt(async () => {
  for (const file of [...at("files").files]) await upload(file.name, file);
  at("files").value = "";
});

async function startMicrophone() {
  if (!navigator.mediaDevices) throw new Error("the browser gives the microphone to safe pages only: write https in place of "
    + "http in its address, or come through ssh, as http://127.0.0.1, or upload files");
  const sound = {echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1};
  let stream;
  try { stream = await navigator.mediaDevices.getUserMedia({audio: sound}); }
  catch { throw new Error("there is no microphone, or the browser may not use it; allow it, or upload files"); }
  const context = new AudioContext(), parts = [];
  await context.resume();  // a phone's browser may have forgotten meanwhile that somebody pressed a button
  // A phone that falls asleep hears nothing: nobody touches it while they read aloud for two minutes.
  const awake = await navigator.wakeLock?.request("screen").catch(() => null);
  const source = context.createMediaStreamSource(stream), tap = context.createScriptProcessor(4096, 1, 1);
  microphone = {stream, context, parts, awake, samples: 0, softS: 0};
  tap.onaudioprocess = event => hear(new Float32Array(event.inputBuffer.getChannelData(0)));
  source.connect(tap);
  tap.connect(context.destination);
  at("record").textContent = "Stop";
  at("level").hidden = false;
}
function hear(part) {
  if (!microphone) return;
  microphone.parts.push(part);
  microphone.samples += part.length;
  const level = part.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const seconds = microphone.samples / microphone.context.sampleRate;
  microphone.softS = level < SOFT ? microphone.softS + part.length / microphone.context.sampleRate : 0;
  at("level").value = level;
  at("hint").textContent = level > LOUD ? "too loud: move away from the microphone" : microphone.softS > 3 ? "nothing is heard: speak, or come closer" : "";
  const left = Math.max(0, Math.ceil(TAKE_S - seconds));
  at("clock").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
  if (!left) attempt(stopMicrophone);
}
async function stopMicrophone() {
  const {stream, context, parts, awake, samples} = microphone;
  microphone = null;
  stream.getTracks().forEach(track => track.stop());
  awake?.release();
  at("record").textContent = "Record with the microphone";
  at("level").hidden = true;
  at("clock").textContent = at("hint").textContent = "";
  const blob = wav(parts, samples, context.sampleRate);
  await context.close();
  await upload(`take ${takes.length + 1}.wav`, blob);
}
function wav(parts, samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples));
  const text = (place, word) => [...word].forEach((sign, index) => view.setUint8(place + index, sign.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * samples, true); text(8, "WAVEfmt "); view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); view.setUint16(22, 1, true); view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * samples, true);
  let place = 44;
  for (const part of parts) for (const sample of part) {
    view.setInt16(place, Math.max(-1, Math.min(1, sample)) * 32767, true);
    place += 2;
  }
  return new Blob([view], {type: "audio/wav"});
}
at("record").onclick = () => attempt(() => microphone ? stopMicrophone() : startMicrophone());
