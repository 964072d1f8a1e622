"use strict";
// Times in the reader's zone, and a refresh in place; the page is complete without it.
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const forms = {
    clock: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    day: { day: "numeric", month: "short" },
    moment: {
      year: "numeric", month: "short", day: "numeric",
      hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    },
  };

  function localize(root) {
    for (const time of root.querySelectorAll("time[data-as]")) {
      // days are UTC days, which have no other zone
      const options = { ...forms[time.dataset.as] };
      if (time.dataset.as === "day") options.timeZone = "UTC";
      time.textContent = new Date(time.dateTime).toLocaleString("en-GB", options);
    }
  }

  document.getElementById("zone").textContent = zone;
  localize(document);

  const main = document.getElementById("main");
  const seconds = Number(main.dataset.refresh);
  if (!seconds) return;

  const pause = document.getElementById("pause");
  pause.hidden = false;
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") === "true";
    pause.setAttribute("aria-pressed", String(!paused));
  });

  // what names an element, and which of those with this name it is
  function label(element) {
    return element.id || element.getAttribute("href") || element.getAttribute("aria-label")
      || element.parentElement.id;
  }

  function alike(tag, name) {
    return [...main.querySelectorAll(tag)].filter((each) => label(each) === name);
  }

  function place(element) {
    const found = { tag: element.localName, name: label(element) };
    return { ...found, index: alike(found.tag, found.name).indexOf(element) };
  }

  function find({ tag, name, index }) {
    const found = alike(tag, name);
    return found[index] || found[0];
  }

  function isStatus(element) {
    return element.getAttribute("role") === "status";
  }

  function show(fresh) {
    const active = document.activeElement;
    const focused = active !== main && main.contains(active) ? place(active) : null;
    const scrolled = [...main.querySelectorAll("[tabindex]")]
      .filter((each) => each.scrollLeft).map((each) => [place(each), each.scrollLeft]);
    for (const open of main.querySelectorAll("details[open]")) {
      const details = fresh.getElementById(open.id);
      if (details) details.open = true;
    }
    const before = [...main.children];
    const after = [...fresh.getElementById("main").children];
    if (before.length !== after.length) {
      main.replaceChildren(...after);
    } else {
      before.forEach((old, i) => {
        if (old.isEqualNode(after[i])) return;
        if (isStatus(old) && isStatus(after[i])) {
          // kept, so that a screen reader says what has changed
          old.className = after[i].className;
          old.replaceChildren(...after[i].childNodes);
        } else {
          old.replaceWith(after[i]);
        }
      });
    }
    document.title = fresh.title;
    document.querySelector(".refresh time").replaceWith(fresh.querySelector(".refresh time"));
    for (const [where, left] of scrolled) {
      const found = find(where);
      if (found) found.scrollLeft = left;
    }
    if (focused && !main.contains(document.activeElement)) {
      (find(focused) || main).focus({ preventScroll: true });
    }
  }

  async function fetched() {
    try {
      const response = await fetch(location.href, { credentials: "same-origin" });
      const isPage = (response.headers.get("Content-Type") || "").startsWith("text/html");
      if (!isPage || response.status >= 500) return null;
      return new DOMParser().parseFromString(await response.text(), "text/html");
    } catch {
      return null;
    }
  }

  let isBusy = false;
  async function refresh() {
    const choice = getSelection();
    const isPaused = pause.getAttribute("aria-pressed") === "true";
    if (isBusy || document.hidden || isPaused || (choice && !choice.isCollapsed)) return;
    isBusy = true;
    const fresh = await fetched();
    isBusy = false;
    document.body.classList.toggle("stale", !fresh);
    if (!fresh) return;
    localize(fresh);
    show(fresh);
    if (!fresh.getElementById("main").dataset.refresh) {
      // what it showed is gone, or asks for the key
      clearInterval(timer);
      document.removeEventListener("visibilitychange", refresh);
      pause.hidden = true;
    }
  }

  const timer = setInterval(refresh, seconds * 1000);
  document.addEventListener("visibilitychange", refresh);
})();
