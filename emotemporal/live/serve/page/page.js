// Wires the page: what is shown before, during and after a camera or a file.
import { Camera } from "./camera.js";
import { Controls, showLabels } from "./controls.js";
import { Overlay } from "./draw.js";
import { LiveFaces, Table } from "./faces.js";
import { Film } from "./film.js";
import { FaceList, Speaker } from "./list.js";
import { askAbout, setToken } from "./talk.js";

const $ = (id) => document.getElementById(id);
const overlay = new Overlay($("overlay"), new Map());
const list = new FaceList($("faces"), $("nobody"));
const speaker = new Speaker($("said"));
const controls = new Controls((choice) => camera?.choose(choice));
let about = null, camera = null, film = null, faces = null, table = new Table();
let recent = [];

function tell(words, kind = "") {
  $("state-words").textContent = words;
  $("state").className = `state ${kind}`;
}

function complain(reason) {
  $("notice").textContent = reason;
  $("notice").hidden = !reason;
}

async function open() {
  const where = isHere() ? "the program on this computer" : `the server ${location.host}`;
  $("where").textContent = where;
  try {
    about = await askAbout();
  } catch (error) {
    tell("no answer", "bad");
    complain(`The server does not answer: ${error.message}`);
    return;
  }
  $("token-form").hidden = about !== null;
  $("start-row").hidden = about === null;
  if (about === null) return tell("locked");
  // Whose computer it is shows behind a tunnel, too.
  $("where").textContent = `${where} (${about.machine})`;
  const names = new Map(about.labels.map((label, index) => [label.label, { ...label, index }]));
  overlay.names = list.names = speaker.names = names;
  showLabels(about.labels);
  controls.show(about.controls);
  controls.tell(about.smoothing);
  $("model").textContent = `Network ${about.model} (${about.digest}); smoothing at the start: ${about.smoothing.told}; emotemporal ${about.version}`;
  $("pick").disabled = false;
  $("start").disabled = !navigator.mediaDevices?.getUserMedia;
  if ($("start").disabled) complain("This browser gives a camera only to pages that come over HTTPS, or from the computer itself. The server needs --certfile and --keyfile. A video or picture can be judged all the same.");
  tell("ready", "good");
}

const isHere = () => ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

function leaveIntro() {
  complain("");
  $("intro").hidden = true;
  $("screen").classList.remove("waits");
  $("steady").hidden = film !== null;
  $("stop").textContent = film ? "Close" : "Stop";
  $("pause").hidden = film?.isStill ?? false;
  $("bar").hidden = $("faces-card").hidden = false;
  $("stop").focus();
}

function stop(reason = "") {
  const wasFilm = film !== null;
  camera?.stop();
  film?.close();
  camera = film = faces = null;
  for (const id of ["video", "work", "bar", "faces-card", "seek"]) $(id).hidden = true;
  $("screen").classList.add("waits");
  $("screen").style.aspectRatio = "";
  $("intro").hidden = $("steady").hidden = false;
  $("pause").setAttribute("aria-pressed", "false");
  $("pause").textContent = "Pause";
  $("figures").textContent = "";
  list.draw([], [0, 1]);
  complain(reason);
  tell("ready", "good");
  (wasFilm || $("start").disabled ? $("pick") : $("start")).focus();
}

async function startCamera(facing = "user") {
  $("start").disabled = true;
  table = new Table();
  faces = new LiveFaces(about.history_s);
  const mine = camera = new Camera($("video"), hear, (reason) => stop(`Stopped: ${reason}.`));
  mine.facing = facing;
  mine.choice = controls.choice;
  tell("asking for the camera");
  let failure = "";
  try {
    await mine.start();
  } catch (error) {
    const told = { NotAllowedError: "The camera was not allowed. Allow it beside the address, and start again.", NotFoundError: "No camera was found." };
    failure = told[error.name] ?? `The camera cannot be used: ${error.message}`;
  }
  $("start").disabled = false;
  if (failure) return stop(failure);
  $("video").hidden = false;
  $("video").classList.toggle("mirrored", mine.isMirrored);
  leaveIntro();
  tell("connecting");
  mine.connect(0);
  const devices = await navigator.mediaDevices.enumerateDevices();
  $("turn").hidden = devices.filter((device) => device.kind === "videoinput").length < 2;
}

function hear(message) {
  if (message.type === "ready") {
    table.header = message.csv_header;
    faces = new LiveFaces(about.history_s);
    tell("live", "good");
  } else if (message.type === "faces") {
    faces.take(message);
    table.add(message.csv);
    $("save").disabled = table.isEmpty;
    if (message.judgements.length) performance.mark("labelled");
    recent.push({ at_ms: performance.now(), delay_s: camera.now_s - message.time_s });
    if (table.isFull) tell("the table is full: save it, and start anew", "bad");
  } else if (message.type === "smoothing") {
    controls.tell(message);
  } else if (message.type === "lost") {
    tell(`connection lost; trying again in ${message.wait_s} s`, "bad");
  } else if (message.type === "error") {
    tell(message.reason, "bad");
  }
}

async function openFilm(file) {
  if (camera) stop();
  film = new Film(file, $("video"), $("still"));
  $("video").classList.remove("mirrored");
  faces = film.faces;
  table = film.table;
  leaveIntro();
  $("turn").hidden = true;
  $("save").disabled = true;
  $("work").hidden = false;
  tell("judging a file", "good");
  film.show();
  const mine = film;
  film.judge(
    (words, share) => {
      $("work-words").textContent = words;
      $("work-bar").value = share;
      if (film.size.width) $("screen").style.aspectRatio = `${film.size.width} / ${film.size.height}`;
    },
    (reason) => {
      if (mine !== film) return;
      $("work").hidden = true;
      if (reason) return stop(`This file cannot be judged: ${reason}`);
      $("save").disabled = table.isEmpty;
      $("seek").hidden = film.isStill || !film.isPlayable;
      tell(film.isPlayable ? "judged" : "judged; this browser cannot play it", "good");
      speaker.say(`Done: ${film.faces.byId.size} faces were found.`);
    },
  );
}

function render() {
  requestAnimationFrame(render);
  if (camera) {
    const size = { width: $("video").videoWidth, height: $("video").videoHeight };
    if (size.width) $("screen").style.aspectRatio = `${size.width} / ${size.height}`;
    const now = faces.at();
    overlay.draw(now, size, camera.isMirrored, faces.span());
    list.draw(now, faces.span());
    showAxis(`${about.history_s} s ago`, "now");
    speaker.tell(now);
    showFigures(now.length);
  } else if (film) {
    const now = film.faces.at(film.now_s);
    overlay.draw(now, film.size, false, film.faces.span());
    list.draw(film.faces.all(film.now_s), film.faces.span(), film.isStill ? null : film.now_s, film.isStill ? null : seek);
    showAxis(film.isStill ? "" : clock(0), film.isStill ? "" : clock(film.faces.duration_s));
    $("seek").max = film.faces.duration_s;
    if (document.activeElement !== $("seek") || !film.shown.paused) $("seek").value = film.now_s;
  }
}

function clock(time_s) {
  return `${Math.floor(time_s / 60)}:${String(Math.floor(time_s % 60)).padStart(2, "0")}`;
}

function showAxis(from, to) {
  if ($("axis-from").textContent !== from) $("axis-from").textContent = from;
  if ($("axis-to").textContent !== to) $("axis-to").textContent = to;
  $("axis").hidden = $("faces").childElementCount === 0;
}

function seek(time_s) {
  film.shown.currentTime = time_s;
}

function showFigures(count) {
  const now_ms = performance.now();
  recent = recent.filter(({ at_ms }) => now_ms - at_ms < 2000);
  if (!recent.length) return;
  const delays = recent.map(({ delay_s }) => delay_s).sort((a, b) => a - b);
  const delay_ms = Math.round(1000 * delays[delays.length >> 1]);
  if (now_ms - (showFigures.last_ms ?? 0) < 500) return;
  showFigures.last_ms = now_ms;
  const words = [`${count} ${count === 1 ? "face" : "faces"}`, `${Math.round(recent.length / 2)} frames/s`, `${delay_ms} ms delay`];
  $("figures").replaceChildren(...words.map((word) => Object.assign(document.createElement("span"), { textContent: word })));
}

function pause() {
  const isPaused = $("pause").getAttribute("aria-pressed") !== "true";
  $("pause").setAttribute("aria-pressed", String(isPaused));
  $("pause").textContent = isPaused ? "Go on" : "Pause";
  if (camera) camera.isPaused = isPaused;
  if (isPaused) $("video").pause();
  else $("video").play();
}

$("start").onclick = () => startCamera();
$("stop").onclick = () => stop();
$("cancel").onclick = () => stop();
$("pause").onclick = pause;
$("pick").onclick = () => $("file").click();
$("file").onchange = () => {
  const [file] = $("file").files;
  if (file) openFilm(file);
  $("file").value = "";
};
$("turn").onclick = () => {
  const facing = camera.isMirrored ? "environment" : "user";
  camera.stop();
  startCamera(facing);
};
$("save").onclick = () => table.save("emotemporal.csv");
$("seek").oninput = () => seek(Number($("seek").value));
$("token-form").onsubmit = (event) => {
  event.preventDefault();
  setToken($("token").value.trim());
  open().then(() => { if (about === null) complain("That is not the token."); });
};
$("screen").classList.add("waits");
open();
render();
