"use strict";
// One step at a time, by buttons, by the arrow keys, by the list of steps; without this script all steps are shown.
(() => {
  const steps = [...document.querySelectorAll("section.step")];
  const links = [...document.querySelectorAll("nav a")];
  const [previous, next, all, where] = ["previous", "next", "all", "where"].map((id) => document.getElementById(id));
  const nav = document.querySelector("nav");
  let at = 0, whole = false;

  const show = () => {
    steps.forEach((step, index) => { step.hidden = !whole && index !== at; });
    links.forEach((link, index) => {
      if (!whole && index === at) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
    });
    previous.disabled = whole || at === 0;
    next.disabled = whole || at === steps.length - 1;
    all.setAttribute("aria-pressed", String(whole));
    where.textContent = whole ? `All ${steps.length} steps` : `Step ${at + 1} of ${steps.length}: ${links[at].textContent}`;
  };

  const go = (index) => {
    if (whole || index < 0 || index >= steps.length) return;
    at = index;
    history.replaceState(null, "", `#step-${at + 1}`);
    show();
    if (nav.getBoundingClientRect().top <= 0) steps[at].scrollIntoView(); // from its beginning, below the list of steps
  };

  const fromAddress = () => {
    const index = steps.findIndex((step) => `#${step.id}` === location.hash);
    if (index >= 0) at = index;
    show();
  };

  previous.addEventListener("click", () => go(at - 1));
  next.addEventListener("click", () => go(at + 1));
  all.addEventListener("click", () => { whole = !whole; show(); });
  links.forEach((link, index) => link.addEventListener("click", (event) => {
    if (whole) return;
    event.preventDefault();
    go(index);
  }));
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const box = event.target.closest?.(".scroll");
    if (box && box.scrollWidth > box.clientWidth) return; // there the keys move what is too wide
    if (event.key === "ArrowRight") go(at + 1);
    else if (event.key === "ArrowLeft") go(at - 1);
    else return;
    event.preventDefault();
  });
  window.addEventListener("hashchange", fromAddress);
  document.getElementById("buttons").hidden = false;
  document.body.classList.add("stepped");
  fromAddress();
})();
