"use strict";
// Sends pictures to POST judge one after the other and shows what comes back. Nothing is loaded from elsewhere.
const byId = (id) => document.getElementById(id);
const KEPT = 60; // results in the history
const PAUSE = 300; // milliseconds between two pictures of the webcam
const COLOURS = { "bona fide": "--bona-fide", attack: "--attack", "not judged": "--none" };
let model = null;
let stream = null;
let past = [];

function say(problem) {
  byId("problem").textContent = problem;
  byId("problem").hidden = !problem;
}

async function begin() {
  try {
    model = await (await fetch("model")).json();
  } catch {
    say("The server does not answer.");
    return;
  }
  byId("about").textContent =
    `${model.student}, weights ${model.sha256.slice(0, 12)}, threshold ${model.threshold.toFixed(3)} (${model.policy}` +
    `${model.test_set_choice ? ", chosen on its own test set" : ""}), face finder ${model.face}`;
  byId("simulated").textContent = model.caution.charAt(0).toUpperCase() + model.caution.slice(1);
  byId("simulated").hidden = !model.caution;
  byId("explain").disabled = !model.explain;
  byId("unexplained").textContent = model.unexplained;
  byId("unexplained").hidden = model.explain;
  for (const line of model.not_for) {
    byId("not-for").append(element("li", line));
  }
  setThreshold(model.threshold);
}

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function setThreshold(value) {
  byId("accepted").style.width = `${100 * (1 - value)}%`;
  byId("threshold").style.left = `${100 * value}%`;
  byId("limit").textContent = `threshold ${value.toFixed(3)}`;
  for (const end of ["y1", "y2"]) {
    byId("history-threshold").setAttribute(end, 100 * (1 - value));
  }
}

async function judge(blob, name) {
  const form = new FormData();
  form.append("image", blob, name);
  const explain = byId("explain").checked ? "?explain=true" : "";
  let answer;
  try {
    const response = await fetch(`judge${explain}`, { method: "POST", body: form });
    answer = await response.json();
  } catch {
    say("The server does not answer, or closed the connection because the picture is too large.");
    return null;
  }
  if (answer.error) {
    say(answer.error.detail);
    return null;
  }
  say("");
  return answer;
}

function show(answer) {
  const first = answer.results[0];
  byId("verdict").textContent = first.verdict + (first.score === null ? "" : `, score ${first.score.toFixed(3)}`);
  byId("verdict").dataset.verdict = first.verdict;
  byId("detail").textContent = first.detail;
  byId("score").hidden = first.score === null;
  byId("score").style.left = `${100 * (first.score ?? 0)}%`;
  setThreshold(first.threshold);
  byId("faces").replaceChildren(...answer.results.filter((one) => one.faces > 0).map(face));
  past = [...past, first].slice(-KEPT);
  byId("count").textContent = Number(byId("count").textContent) + 1;
  drawHistory();
}

function face(one) {
  const score = one.score === null ? one.reason : one.score.toFixed(3);
  const made = element("li", `${one.verdict} (${score}) ${one.detail}`);
  if (one.explanation) {
    const picture = element("img");
    picture.src = one.explanation;
    picture.alt = "Where the student looked (Grad-CAM)";
    made.append(picture);
  }
  return made;
}

function drawHistory() {
  const at = (number) => (past.length < 2 ? 150 : (300 * number) / (past.length - 1));
  const points = past.map((one, number) => ({ one, x: at(number), y: one.score === null ? 108 : 100 * (1 - one.score) }));
  const judged = points.filter((point) => point.one.score !== null);
  byId("history-line").setAttribute("points", judged.map((point) => `${point.x},${point.y}`).join(" "));
  byId("history-points").replaceChildren(
    ...points.map(({ one, x, y }) => {
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "path");
      dot.setAttribute("d", `M${x} ${y}h0.01`);
      dot.setAttribute("class", `dot ${one.verdict.replace(" ", "-")}`);
      return dot;
    }),
  );
}

// Draws the picture that was judged and the boxes; the server counts pixels of the upright picture, as browsers do.
function draw(source, width, height, answer) {
  const canvas = byId("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.drawImage(source, 0, 0, width, height);
  const scale = width / (answer?.width ?? width);
  pen.lineWidth = Math.max(width / 200, 2);
  for (const one of answer?.results ?? []) {
    if (one.box) {
      pen.strokeStyle = getComputedStyle(document.body).getPropertyValue(COLOURS[one.verdict]);
      pen.strokeRect(...one.box.map((value) => value * scale));
    }
  }
  canvas.hidden = false;
  byId("hint").hidden = true;
  byId("stage").classList.remove("empty");
}

async function judgeFiles(files) {
  stopWebcam();
  for (const file of files) {
    const answer = await judge(file, file.name);
    if (!answer) continue;
    show(answer);
    let picture;
    try {
      picture = await createImageBitmap(file);
    } catch {
      continue; // a format that the server reads and this browser does not
    }
    const width = Math.min(picture.width, 1280);
    draw(picture, width, Math.round((width * picture.height) / picture.width), answer);
  }
}

async function startWebcam() {
  if (!navigator.mediaDevices?.getUserMedia) {
    say("Browsers give the webcam only to https:// and to http://localhost; open the page there.");
    return;
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } } });
  } catch (error) {
    say(`The webcam cannot be used: ${error.message}`);
    return;
  }
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  byId("webcam").textContent = "Stop webcam";
  byId("webcam").setAttribute("aria-pressed", "true");
  watch(video, stream);
}

async function watch(video, mine) {
  const shot = document.createElement("canvas");
  while (stream === mine) {
    shot.width = video.videoWidth;
    shot.height = video.videoHeight;
    shot.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((done) => shot.toBlob(done, "image/jpeg", 0.95));
    const answer = blob && (await judge(blob, "webcam"));
    if (stream !== mine) return;
    if (answer) show(answer);
    draw(shot, shot.width, shot.height, answer);
    await new Promise((done) => setTimeout(done, answer ? PAUSE : 5 * PAUSE));
  }
}

function stopWebcam() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  byId("webcam").textContent = "Start webcam";
  byId("webcam").setAttribute("aria-pressed", "false");
}

byId("webcam").addEventListener("click", () => (stream ? stopWebcam() : startWebcam()));
byId("file").addEventListener("change", async (event) => {
  const files = [...event.target.files];
  event.target.value = ""; // so that the same file can be chosen again
  await judgeFiles(files);
});
byId("clear").addEventListener("click", () => {
  past = [];
  byId("count").textContent = "0";
  drawHistory();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  byId("stage").addEventListener(kind, (event) => {
    event.preventDefault();
    byId("stage").classList.toggle("over", kind === "dragover");
    if (kind === "drop") judgeFiles([...event.dataTransfer.files]);
  });
}
begin();
