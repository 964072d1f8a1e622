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

  function place(element) {
    return element.id || element.getAttribute("href") || "";
  }

  async function refresh() {
    if (document.hidden || pause.getAttribute("aria-pressed") === "true") return;
    const choice = getSelection();
    if (choice && !choice.isCollapsed) return;
    let response;
    try {
      response = await fetch(location.href, { credentials: "same-origin" });
    } catch {
      document.body.classList.add("stale");
      return;
    }
    if (!response.ok) {
      document.body.classList.add("stale");
      return;
    }
    document.body.classList.remove("stale");
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const open = [...main.querySelectorAll("details[open]")].map((each) => each.id);
    const focused = main.contains(document.activeElement) ? place(document.activeElement) : "";
    localize(fresh);
    main.replaceChildren(...fresh.getElementById("main").childNodes);
    document.querySelector(".refresh time").replaceWith(fresh.querySelector(".refresh time"));
    for (const id of open) {
      const details = id && document.getElementById(id);
      if (details) details.open = true;
    }
    if (focused) {
      const again = [...main.querySelectorAll("a, button, summary, input")];
      const found = again.find((each) => place(each) === focused);
      if (found) found.focus({ preventScroll: true });
    }
  }

  setInterval(refresh, seconds * 1000);
})();
