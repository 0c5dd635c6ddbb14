// The page itself: theme, tips, copying, downloads, folded parts, printing.

const root = document.documentElement;
const status = document.getElementById("status");

/** Tells screen readers what a button did. */
function announce(text) {
  status.textContent = text;
}

// ---- theme ----

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const themeButton = document.getElementById("theme");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;
}

function nameTheme() {
  const other = isDark() ? "light" : "dark";
  themeButton.textContent = other === "dark" ? "Dark" : "Light";
  themeButton.setAttribute("aria-label", `Switch to the ${other} theme`);
  dispatchEvent(new Event("themechange")); // maps are drawn anew
}

themeButton.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("audiobench-theme", root.dataset.theme);
  } catch {
    // Without storage the choice holds for this visit.
  }
  nameTheme();
});
systemIsDark.addEventListener("change", nameTheme);
nameTheme();

// ---- tips: one box for all, shown on hover, focus and touch; Escape hides it, and the pointer may rest on it ----

const tip = document.getElementById("tip");
let tipTimer = 0;
let tipOwner = null;

/** Shows a text above a box on the screen, or below where there is no room. */
function showTip(text, box, owner) {
  clearTimeout(tipTimer);
  tipOwner = owner;
  tip.textContent = text;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = box.left + box.width / 2 - width / 2;
  tip.style.left = `${Math.max(8, Math.min(left, root.clientWidth - width - 8))}px`;
  tip.style.top = `${box.top - height - 6 > 0 ? box.top - height - 6 : box.bottom + 6}px`;
}

function hideTip() {
  clearTimeout(tipTimer);
  tip.hidden = true;
  tipOwner = null;
}

/** What a button tells: a cell in its label, a column's head in its description. */
function told(button) {
  return button.ariaLabel ?? document.getElementById(button.getAttribute("aria-describedby")).textContent;
}

function tipOf(target) {
  const button = target.closest?.("button.noted, button.sort[aria-describedby]");
  if (button) showTip(told(button), button.getBoundingClientRect(), button);
  return button;
}

document.addEventListener("mouseover", ({ target }) => {
  if (tip.contains(target)) clearTimeout(tipTimer);
  else if (!tipOf(target) && tipOwner?.localName === "button") tipTimer = setTimeout(hideTip, 150);
});
document.addEventListener("focusin", ({ target }) => tipOf(target));
document.addEventListener("focusout", hideTip);
document.addEventListener("click", ({ target }) => tipOf(target)); // touch: not every browser focuses what is tapped
document.addEventListener("keydown", ({ key }) => key === "Escape" && hideTip());
document.addEventListener(
  "scroll",
  () => (tipOwner === document.activeElement ? tipOf(tipOwner) : hideTip()), // focus may scroll its owner into view
  { capture: true, passive: true },
);

// ---- copying and downloads ----

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Refused, or not offered to pages from a disk: the old way.
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** Copies, and says so on the button for a moment. */
async function copyFrom(button, text) {
  await copyText(text);
  const label = (button.dataset.label ??= button.textContent);
  button.textContent = "Copied";
  announce("Copied");
  setTimeout(() => (button.textContent = label), 1500);
}

for (const button of document.querySelectorAll("[data-copy=code]")) {
  const code = button.closest(".code").querySelector("code");
  button.addEventListener("click", () => copyFrom(button, code.textContent));
}

function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

for (const button of document.querySelectorAll("button.download")) {
  const svg = button.closest("figure").querySelector("svg");
  const file = () => new XMLSerializer().serializeToString(svg); // adds the namespace that a file needs
  button.addEventListener("click", () => download(button.dataset.name, file(), "image/svg+xml"));
}

// ---- a picture that is wider than its box scrolls in it, and needs a tab stop ----

const scrolling = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
  }
});
for (const box of document.querySelectorAll(".svg")) scrolling.observe(box);

// ---- folded parts open for a link into them, and on paper ----

function openAround(element) {
  const inside = element?.querySelector("details"); // a folded section's own
  if (element?.localName === "section" && inside?.parentElement === element) inside.open = true;
  for (let at = element; at; at = at.parentElement) if (at.localName === "details") at.open = true;
}

function openLinked() {
  openAround(document.getElementById(decodeURIComponent(location.hash.slice(1))));
}
addEventListener("hashchange", openLinked);
openLinked();

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});

// ---- the top bar shows where we are ----

const links = new Map([...document.querySelectorAll(".top nav a")].map((a) => [a.hash.slice(1), a]));
const spy = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = links.get(target.id);
      if (isIntersecting) {
        link.setAttribute("aria-current", "true");
        const list = link.closest("nav");
        list.scrollTo({ left: link.offsetLeft - list.offsetLeft - 40 }); // on a phone not all links are in view
      } else link.removeAttribute("aria-current");
    }
  },
  { rootMargin: "-30% 0px -69% 0px" }, // a thin line across the upper part of the window
);
for (const section of document.querySelectorAll("main > section")) spy.observe(section);
