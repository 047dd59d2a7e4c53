"use strict";
// Keeps the live part of the page up to date. Without this script the page is as it was when it was loaded.
(() => {
  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;
  const voice = document.getElementById("voice");
  const controls = "a, button, input, summary";

  const replace = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    // A person who is at a control stays at it.
    const at = old.contains(document.activeElement) ? [...old.querySelectorAll(controls)].indexOf(document.activeElement) : -1;
    old.replaceWith(fresh);
    if (at >= 0) fresh.querySelectorAll(controls)[at]?.focus({ preventScroll: true });
  };

  const show = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("live");
    if (!fresh) return;
    const before = live.querySelector("h1")?.textContent;
    const sections = [...fresh.children].map((section) => document.importNode(section, true));
    for (const old of [...live.children]) {
      if (!sections.some((section) => section.id === old.id)) old.remove();
    }
    sections.forEach((section, place) => {
      const old = document.getElementById(section.id);
      if (old) replace(old, section);
      else live.insertBefore(section, live.children[place] ?? null);
    });
    const head = live.querySelector("h1")?.textContent;
    if (voice && head && head !== before) voice.textContent = head;
  };

  const events = new EventSource("/events");
  events.onmessage = (event) => show(event.data);
})();
