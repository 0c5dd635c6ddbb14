// Asks how the run stands, and loads the report anew when there is a newer one.

const at = (id) => document.getElementById(id);
const frame = at("report");
let version = 0;
let top = 0; // how far the reader has scrolled

frame.addEventListener("load", () => frame.contentWindow.scrollTo({ top, behavior: "instant" }));

/** Sets a text only if it is another one: screen readers tell of each change. */
function tell(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

function list(missing, more) {
  const lines = missing.map(([entry, task, protocol, state]) => `${entry}, ${protocol} on ${task}: ${state}`);
  if (more) lines.push(`and ${more} more`);
  const items = lines.map((line) => Object.assign(document.createElement("li"), { textContent: line }));
  at("missing").replaceChildren(...items);
}

function show(state) {
  document.title = `${state.name}: ${state.jobs}`;
  tell("name", state.name);
  tell("jobs", state.over ? `The run has ended: ${state.jobs}.` : `${state.jobs}.`);
  tell("running", state.running.length && !state.over ? `Now: ${state.running.join(", ")}` : "");
  tell("problem", state.problem ? `The report could not be made: ${state.problem}` : "");
  at("cells").hidden = !state.missing?.length;
  if (state.cells) tell("counts", `Cells: ${Object.entries(state.cells).map(([name, n]) => `${n} ${name}`).join(", ")}`);
  list(state.missing ?? [], state.more);
  if (state.version !== version) {
    version = state.version;
    top = frame.contentWindow.scrollY;
    frame.contentWindow.location.reload();
  }
}

async function look() {
  try {
    show(await (await fetch("state", { cache: "no-store" })).json());
  } catch {
    tell("jobs", "The run no longer answers. This is what it showed last.");
    tell("running", "");
  }
  setTimeout(look, 2000);
}

look();
