// Code that scrolls can be reached by keyboard, and the buttons of each block have a name of their own.
document.querySelectorAll("pre").forEach((block) => { block.tabIndex = 0; });
new MutationObserver(nameButtons).observe(document.body, { childList: true, subtree: true });
nameButtons();

function nameButtons() {
  document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((nav) => {
    const place = [...document.querySelectorAll("pre")].indexOf(nav.closest("pre"));
    nav.setAttribute("aria-label", `Code block ${place + 1}`);
  });
}
