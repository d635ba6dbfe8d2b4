// The page: the dial, the player and what is told of the piece that is heard.
import { Feed, FrameClock } from "./feed.js";
import { Roll } from "./roll.js";

const $ = (id) => document.getElementById(id);
const audio = new Audio();
audio.preload = "none";
const clock = new FrameClock(audio);
const roll = new Roll($("roll"), clock);
const feed = new Feed(hear);
const page = { channels: {}, selected: "", playing: false, tune: "", upcoming: [], piece: null, wait: 1000, retry: 0 };
window.radio = { page, clock, roll, audio };

// --- the dial ---

async function poll() {
  try {
    const status = await (await fetch("/status.json")).json();
    page.channels = status.channels;
    $("station").textContent = document.title = status.station.name;
    $("motto").textContent = status.station.description;
    tellAir(status);
    showDial();
    if (!page.selected) select(named(location.hash.slice(1)) || Object.keys(page.channels)[0]);
    showState();
  } catch {
    tellAir(null);
  }
}

const named = (name) => (name in page.channels ? name : "");

function tellAir(status) {
  const air = $("air");
  const count = status ? status.listeners : 0;
  const live = status && status.studio.state === "live";
  air.className = "air " + (live ? "live" : status && status.studio.state === "starting" ? "" : "trouble");
  air.textContent = !status
    ? "the station cannot be reached"
    : live
      ? `on air · ${count} ${count === 1 ? "listener" : "listeners"}`
      : status.studio.state === "starting" ? "the studio is warming up" : "the studio is away for a moment";
}

function showDial() {
  const dial = $("dial");
  for (const [name, channel] of Object.entries(page.channels)) {
    let button = dial.querySelector(`[data-channel="${name}"]`);
    if (!button) {
      const item = document.createElement("li");
      button = document.createElement("button");
      button.dataset.channel = name;
      button.append(...["b", "i", "span", "em"].map((tag) => document.createElement(tag)));
      button.addEventListener("click", () => (name === page.selected && page.playing ? stop() : (select(name), play())));
      item.append(button);
      dial.append(item);
    }
    const [title, genre, description, now] = button.children;
    title.textContent = channel.title;
    genre.textContent = channel.genre;
    description.textContent = channel.description;
    now.textContent = channel.now ? channel.now.title : "";
    button.className = channel.state === "live" || channel.state === "encore" ? "" : "off";
    button.setAttribute("aria-pressed", String(name === page.selected));
  }
}

function select(name) {
  if (!name || name === page.selected) return;
  page.selected = name;
  page.tune = Math.random().toString(36).slice(2, 12);
  page.upcoming = [];
  page.piece = null;
  clock.reset();
  roll.clear();
  history.replaceState(null, "", "#" + name);
  feed.open(page.channels[name].feed, page.tune);
  if (page.playing) play();
  $("title").textContent = page.channels[name].now?.title ?? "…";
  $("facts").replaceChildren();
  showDial();
  showElsewhere();
  showState();
}

function turn(by) {
  const names = Object.keys(page.channels);
  if (names.length) select(names[(names.indexOf(page.selected) + by + names.length) % names.length]);
}

function showElsewhere() {
  const name = page.selected;
  const usual = page.channels[name].mounts.filter((m) => !m.format.includes("-"));
  const links = usual.map((m) => [m.format === "opus" ? "Opus" : m.format.toUpperCase(), m.path]);
  links.push(["HLS", `/${name}.m3u8`], ["M3U", `/${name}.m3u`], ["licence", `/${name}/licence`]);
  const made = links.map(([text, path]) => Object.assign(document.createElement("a"), { href: path, textContent: text }));
  const copy = Object.assign(document.createElement("button"), { textContent: "copy address" });
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(new URL(page.channels[name].mounts[0].path, location.href).href);
    copy.textContent = "copied";
    setTimeout(() => (copy.textContent = "copy address"), 1500);
  });
  $("elsewhere").replaceChildren(...made, copy);
}

// --- the sound ---

function play() {
  const channel = page.channels[page.selected];
  if (!channel) return;
  page.playing = true;
  clock.tuned = null;
  audio.src = `/${page.selected}.mp3?tune=${page.tune}`;
  audio.load(); // a live stream is fetched anew, never resumed
  audio.play().catch((error) => error.name === "NotAllowedError" && stop());
  showPlaying();
}

function stop() {
  page.playing = false;
  clearTimeout(page.retry);
  audio.pause();
  audio.removeAttribute("src");
  audio.load(); // ends the download
  clock.tuned = null;
  showPlaying();
}

function again() {
  if (!page.playing) return;
  clearTimeout(page.retry);
  page.retry = setTimeout(play, page.wait);
  page.wait = Math.min(page.wait * 2, 20000);
}

audio.addEventListener("playing", () => { page.wait = 1000; showPlaying(); });
for (const kind of ["error", "ended"]) audio.addEventListener(kind, again);
audio.addEventListener("waiting", showPlaying);
// A stream that stands still for long is fetched again.
let stood = 0, last = 0;
setInterval(() => {
  stood = page.playing && audio.currentTime === last ? stood + 1 : 0;
  last = audio.currentTime;
  if (stood >= 12) { stood = 0; play(); }
}, 1000);

function showPlaying() {
  document.body.classList.toggle("playing", page.playing);
  document.body.classList.toggle("waiting", page.playing && audio.readyState < 3);
  $("play").setAttribute("aria-label", page.playing ? "Stop" : "Play");
}

function setVolume(volume, muted) {
  audio.volume = volume;
  audio.muted = muted;
  $("volume").value = volume;
  document.body.classList.toggle("muted", muted || volume === 0);
  localStorage.setItem("volume", volume);
}

// --- what the feed tells ---

function hear(message) {
  switch (message.event) {
    case "hello":
      clock.rate = message.rate;
      clock.release(message.frame);
      page.upcoming = [{ at: -Infinity, title: message.title, state: message.state, piece: message.piece }];
      break;
    case "clock": clock.release(message.frame); break;
    case "tuned": clock.tuned = message.frame; break;
    case "title": page.upcoming.push({ at: message.at, title: message.title, state: message.state }); break;
    case "piece": page.upcoming.push({ at: message.at, piece: message }); break;
    default: roll.add(message);
  }
}

// Shows what is heard now, not what has been announced.
function showNow() {
  const frame = clock.frame;
  if (frame === null) return;
  while (page.upcoming.length && page.upcoming[0].at <= frame) {
    const { title, state, piece } = page.upcoming.shift();
    if (title) {
      $("title").textContent = title;
      $("encore").hidden = state !== "encore";
      tellSystem(title);
    }
    if (piece) page.piece = piece;
  }
  const bar = roll.barAt(frame);
  const piece = page.piece;
  if (!piece && !bar) return;
  const facts = [
    ["key", (bar?.key || piece?.key || "").replace(/b /, "♭ ").replace(/# /, "♯ ")],
    ["meter", bar?.meter ?? piece?.meter],
    ["tempo", Math.round(bar?.tempo ?? piece?.tempo)],
    ["section", bar?.section],
    ["bar", bar && `${bar.number} of ${bar.bars}`],
  ].filter(([, value]) => value);
  const text = JSON.stringify(facts);
  if (text === showNow.shown) return;
  showNow.shown = text;
  $("facts").replaceChildren(...facts.map(([name, value]) => {
    const pair = document.createElement("div");
    pair.append(
      Object.assign(document.createElement("dt"), { textContent: name }),
      Object.assign(document.createElement("dd"), { textContent: value }),
    );
    return pair;
  }));
}
setInterval(showNow, 100);

function showState() {
  const channel = page.channels[page.selected];
  if (!channel) return;
  $("channel").textContent = channel.title;
  const quiet = { starting: "The first piece is being written.", "off air": "This channel is off the air." }[channel.state];
  $("quiet").hidden = !quiet;
  $("quiet").textContent = quiet ?? "";
}

function tellSystem(title) {
  if (!("mediaSession" in navigator)) return;
  navigator.mediaSession.metadata = new MediaMetadata({ title, artist: page.channels[page.selected]?.title ?? "", album: $("station").textContent });
}

// --- hands ---

$("play").addEventListener("click", () => (page.playing ? stop() : play()));
$("previous").addEventListener("click", () => turn(-1));
$("next").addEventListener("click", () => turn(1));
$("mute").addEventListener("click", (event) => { event.preventDefault(); setVolume(audio.volume, !audio.muted); });
$("volume").addEventListener("input", () => setVolume(Number($("volume").value), false));
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
  if (event.key === " " && !event.target.matches("button, a")) { event.preventDefault(); $("play").click(); }
  if (event.key === "ArrowLeft") turn(-1);
  if (event.key === "ArrowRight") turn(1);
  if (event.key === "m") $("mute").click();
});
addEventListener("hashchange", () => select(named(location.hash.slice(1))));
document.addEventListener("visibilitychange", () => document.hidden || poll());
if ("mediaSession" in navigator) {
  const actions = { play, pause: stop, stop, previoustrack: () => turn(-1), nexttrack: () => turn(1) };
  for (const [name, act] of Object.entries(actions)) navigator.mediaSession.setActionHandler(name, act);
}
setVolume(Number(localStorage.getItem("volume") ?? 0.8), false);
poll();
setInterval(() => document.hidden || poll(), 5000);
